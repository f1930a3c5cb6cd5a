"""The story of the durable mode: HubSpot is down while webhooks come in, and afterwards every task is right."""

import base64
import hashlib
import hmac
import http.client
import json
import re
import statistics
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

from processes import last_lines
from standins import EVENTS, INVOKE_ANSWERS_WITHIN, aws_client, call, get
from terminal import Progress, Trouble, cut, green, red, width

TASKS = [f"T-{number}" for number in range(2001, 2041)]
UNKNOWN_TASK = "T-404"
# What the events of a task change, one after the other, and what the task then has: each changes something that the
# others leave alone, so that none can be lost unseen. The subject counts them, so that none can come twice or late
# unseen.
CHANGES = [
    ({"priority": "urgent"}, {"hs_task_priority": "HIGH"}),
    ({"description": "It rings."}, {"hs_task_body": "It rings."}),
    ({"due_at": "2030-01-02T09:00:00Z"}, {"hs_timestamp": "2030-01-02T09:00:00.000Z"}),
    ({"assignee": {"email": "ada@acme.example"}}, {"hubspot_owner_id": "101"}),
    ({"status": "solved"}, {"hs_task_status": "COMPLETED"}),
]

# Seconds; longer if the webhooks are not all sent by then, since moto can lose what is sent while it deletes.
OUTAGE_LASTS = 10
# The worker's waits are 5, 10, 20 s: after an outage of 10 s everything has come back 20 s later.
THROUGH_WITHIN = 120


def tell(setup, processes):
    """Tells the story. Returns what is not as expected."""
    if not (setup.sources / "tickets.toml").exists():
        raise Trouble("the outage needs sources/tickets.toml; `make demo MODE=direct` does without it")
    secrets = json.loads((EVENTS / "secrets.json").read_text("utf-8"))
    create_tasks(setup, secrets["taskhook/hubspot"])
    webhooks = make_webhooks()
    each = f"{len(CHANGES)} for each of {len(TASKS)} tasks in turn, and 1 for an unknown task"
    print(f"\nHubSpot answers every call with 503. Meanwhile {len(webhooks)} webhooks come in: {each}.\n", flush=True)
    call("POST", f"{setup.hubspot}/_sim/faults", {"status": 503, "forever": True})
    call("DELETE", f"{setup.hubspot}/_sim/calls")
    begin = time.monotonic()

    def happened(what):
        print(f"{time.monotonic() - begin:6.1f} s  {what}", flush=True)

    queue = Queue(setup, processes)
    took = send(webhooks, secrets["taskhook/tickets"], setup)
    median, longest = statistics.median(took) * 1000, max(took) * 1000
    happened(f"{len(webhooks)} webhooks acknowledged with 202: median {median:.0f} ms, longest {longest:.0f} ms")
    queue.watch("HubSpot is down", lambda _: time.monotonic() - begin >= OUTAGE_LASTS)
    refused = hubspot_calls(setup)
    call("DELETE", f"{setup.hubspot}/_sim/faults")
    is_back = time.monotonic()
    happened(f"HubSpot is back: it has refused {len(refused)} calls, and {queue.size()} updates wait")
    queue.watch("HubSpot is back", lambda size: size == 0, THROUGH_WITHIN)
    calls = hubspot_calls(setup)[len(refused) :]
    kinds = Counter(kind(entry["path"]) for entry in calls)
    kinds = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    happened(f"everything is through, {time.monotonic() - is_back:.1f} s later, with {len(calls)} calls: {kinds}")
    print()
    return judge(setup, calls, queue.dead_letters())


def judge(setup, calls, letters):
    """Shows whether everything is as it must be. Returns what isn't."""
    wrong = []

    def check(is_right, what, details=()):
        print(f"{green('✓') if is_right else red('✗')} {what}", flush=True)
        if not is_right:
            wrong.append("\n    ".join([what, *map(str, details)]))

    tasks = {task["properties"].get("ticket_id"): task["properties"] for task in get(f"{setup.hubspot}/_sim/tasks")}
    expected = {"hs_task_subject": subject(len(CHANGES))}
    for _, properties in CHANGES:
        expected |= properties
    differing = [task for task in TASKS if not expected.items() <= tasks[task].items()]
    right = len(TASKS) - len(differing)
    check(
        not differing,
        f"nothing lost: {right} of {len(TASKS)} tasks have what each of their {len(CHANGES)} webhooks said",
        [f"{task}: {tasks[task]}" for task in differing],
    )
    written = subjects_written(calls)
    mixed_up = [f"{task}: {', '.join(subjects)}" for task, subjects in written.items() if not ascends(subjects)]
    writes = sum(len(subjects) for subjects in written.values())
    check(not mixed_up, f"nothing twice, nothing late: {writes} writes, each newer than the task's last one", mixed_up)
    dead = [(letter.get("reason"), (letter.get("update") or {}).get("id")) for letter in letters]
    check(dead == [("not_found", UNKNOWN_TASK)], f"dead letters: {len(letters)}, for the unknown task", letters)
    for letter in letters[:1]:
        for name, value in letter.items():
            print(cut(f"    {name:<8}  {json.dumps(value, ensure_ascii=False)}", width()))
    return wrong


def subjects_written(calls):
    """The subjects that HubSpot took for each task, in order.

    >>> def update(status, task, subject):
    ...     inputs = [{"id": task, "properties": {"hs_task_subject": subject}}]
    ...     return {"path": "/crm/objects/2026-03/tasks/batch/update", "status": status, "body": {"inputs": inputs}}
    >>> subjects_written([update(503, "T-1", "1 of 5"), update(200, "T-1", "1 of 5"), update(200, "T-1", "3 of 5")])
    {'T-1': ['1 of 5', '3 of 5']}
    """
    written = {}
    for entry in calls:
        if entry["path"].endswith("/batch/update") and 200 <= entry["status"] < 300:
            for item in entry["body"]["inputs"]:
                written.setdefault(item["id"], []).append(item["properties"].get("hs_task_subject", ""))
    return written


def ascends(values):
    """
    >>> ascends(["1 of 5", "3 of 5"]), ascends(["2 of 5", "2 of 5"]), ascends(["2 of 5", "1 of 5"])
    (True, False, False)
    """
    return all(one < other for one, other in zip(values, values[1:]))


def subject(count):
    return f"{count} of {len(CHANGES)}"


# HubSpot


def create_tasks(setup, token):
    properties = {"hs_task_subject": subject(0), "hs_timestamp": "2029-12-31T09:00:00.000Z"}
    inputs = [{"properties": {"ticket_id": task, **properties}} for task in TASKS]
    headers = {"Authorization": f"Bearer {token}"}
    call("POST", f"{setup.hubspot}/crm/objects/2026-03/tasks/batch/create", {"inputs": inputs}, headers)


def hubspot_calls(setup):
    return get(f"{setup.hubspot}/_sim/calls")


def kind(path):
    """
    >>> kind("/crm/objects/2026-03/tasks/batch/read"), kind("/crm/owners/2026-03?limit=100")
    ('batch/read', 'owners')
    """
    return re.sub(r"^/crm/(objects/2026-03/tasks/)?|/2026-03$", "", path.split("?")[0])


# Webhooks


def make_webhooks():
    """All webhooks, as id and body: the first of each task, then the second of each, and so on."""
    first = datetime.now(timezone.utc) - timedelta(hours=1)
    webhooks = []
    for count, (change, _) in enumerate(CHANGES, 1):
        for task in [*TASKS, UNKNOWN_TASK] if count == 1 else TASKS:
            at = (first + timedelta(seconds=len(webhooks))).strftime("%Y-%m-%dT%H:%M:%SZ")
            ticket = {"id": task, "updated_at": at, "subject": subject(count), **change}
            body = {"type": "ticket.updated", "timestamp": at, "data": {"ticket": ticket}}
            webhooks.append((f"msg_{task}_{count}", json.dumps(body)))
    return webhooks


def send(webhooks, secret, setup):
    """Signs and posts the webhooks one after the other. Returns the seconds that each took."""
    connection = http.client.HTTPConnection(setup.invoke_host, setup.invoke_port, timeout=INVOKE_ANSWERS_WITHIN)
    progress = Progress()
    took = []
    for number, (webhook, body) in enumerate(webhooks, 1):
        progress.show(f"webhook {number} of {len(webhooks)}")
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": webhook,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(secret, webhook, timestamp, body),
        }
        begin = time.monotonic()
        try:
            connection.request("POST", "/lambda-url/webhook/tickets", body, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode(errors="replace")
        except OSError as error:
            status, text = "nothing", str(error)
        took.append(time.monotonic() - begin)
        if status != 202:
            log = last_lines(setup.functions.log)
            raise Trouble(f"webhook {webhook} is answered with {status}, not 202: {text}{log}")
    progress.end()
    return took


def sign(secret, webhook, timestamp, body):
    """A signature the Standard Webhooks way; the example is that of https://github.com/standard-webhooks.

    >>> secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    >>> sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", '{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{webhook}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


# The queue


class Queue:
    """What the demo sees of the queues."""

    def __init__(self, setup, processes):
        self.sqs = aws_client("sqs", setup.aws)
        self.setup = setup
        self.processes = processes

    def size(self):
        """How many updates wait or are under way."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.setup.updates, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def watch(self, what, is_over, limit=None):
        """Shows how many updates there are, until `is_over` says so of their number."""
        begin = time.monotonic()
        progress = Progress()
        while not is_over(size := self.size()):
            self.processes.check()
            took = time.monotonic() - begin
            if limit and took > limit:
                log = last_lines(self.setup.functions.log)
                raise Trouble(f"{what}, and {size} updates are still in the queue after {limit} s{log}")
            progress.show(f"{what}: {took:.0f} s, {size} updates in the queue")
            time.sleep(0.2)
        progress.end()

    def dead_letters(self):
        """What lies in the queue of dead letters, and stays there: ten at most."""
        answer = self.sqs.receive_message(
            QueueUrl=self.setup.dead_letters, MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=0
        )
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]
