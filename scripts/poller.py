"""Plays Lambda's event source mapping: takes messages from an SQS queue to the function behind it.

    poller.py QUEUE_URL INVOKE_URL

It receives up to ten messages, invokes the function with them, and deletes all but those that the function names. The
rest is SQS's: nothing more of a group is given out while one of its messages is under way, what isn't deleted comes
back after its visibility timeout, and what came too often goes to the dead letters.
"""

import json
import sys
import time
from urllib.request import HTTPError, urlopen

# The most for a FIFO queue, and what template.yaml says.
BATCH_SIZE = 10
# No long polling: moto's is a busy loop while messages wait behind others of their group.
PAUSE = 0.2


def main():
    import boto3

    queue, function = sys.argv[1:]
    sqs = boto3.client("sqs")
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    # One batch after the other: `cargo lambda watch` has one instance of a function.
    while True:
        received = sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=BATCH_SIZE, MessageSystemAttributeNames=["All"]
        )
        messages = received.get("Messages", [])
        if not messages:
            time.sleep(PAUSE)
            continue
        event = {"Records": [record(message, attributes["QueueArn"]) for message in messages]}
        status, answer = invoke(function, event, int(attributes["VisibilityTimeout"]))
        back = coming_back([message["MessageId"] for message in messages], status, answer)
        done = [
            {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
            for index, message in enumerate(messages)
            if message["MessageId"] not in back
        ]
        if done:
            sqs.delete_message_batch(QueueUrl=queue, Entries=done)
        failure = "" if status == 200 else f"  {status} {answer[:300]}"
        print(f"{time.strftime('%H:%M:%S')}  {len(done)} done, {len(back)} come back{failure}", flush=True)


def record(message, queue_arn):
    """A message as Lambda hands it to a function.
    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-fifo-queue-message-event

    >>> message = {"MessageId": "m-1", "ReceiptHandle": "r", "Body": "{}", "MD5OfBody": "99", "Attributes": {}}
    >>> record(message, "arn:aws:sqs:eu-central-1:123456789012:a.fifo")["awsRegion"]
    'eu-central-1'
    """
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }


def invoke(url, event, limit):
    """The status and the text of the function's answer. After the visibility timeout any answer is too late."""
    try:
        with urlopen(url, json.dumps(event).encode(), timeout=limit) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except TimeoutError:
        return 0, f"no answer within {limit} s"


def coming_back(ids, status, answer):
    """Which messages stay in the queue: those that the function names; all of them if it names another, or if what it
    says is an error (with AWS's runtime interface emulator its status is 200, too) or no partial batch response.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting

    >>> coming_back(["a", "b", "c"], 200, '{"batchItemFailures": [{"itemIdentifier": "b"}]}')
    {'b'}
    >>> [coming_back(["a"], 200, answer) for answer in ('{"batchItemFailures": []}', '{}', 'null')]
    [set(), set(), set()]
    >>> [coming_back(["a"], status, '{"errorType": "panic"}') for status in (500, 200)]
    [{'a'}, {'a'}]
    >>> [coming_back(["a"], 200, answer) for answer in ('', '7', '{"batchItemFailures": [{"itemIdentifier": "x"}]}')]
    [{'a'}, {'a'}, {'a'}]
    """
    everything = set(ids)
    if status != 200:
        return everything
    try:
        said = json.loads(answer) or {}
        if "errorType" in said:
            return everything
        failures = said.get("batchItemFailures") or []
        back = {failure["itemIdentifier"] for failure in failures}
    except (ValueError, KeyError, TypeError, AttributeError):
        return everything
    return back if back <= everything else everything


if __name__ == "__main__":
    main()
