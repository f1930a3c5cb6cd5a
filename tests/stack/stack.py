"""The stack, deployed and used as in AWS: `make stack`.

`sam deploy` makes it of template.yaml, without what the emulator doesn't know, and of the packages for this machine, on
ministack, which enforces IAM. Each function then runs under AWS's own runtime interface emulator: the code and the
environment are those that the stack has, the keys are of the role that the stack made. HubSpot is `taskhook sim`, and
poller.py takes messages to the worker with the keys of its role. What doesn't go as the story says ends it with code 1.
"""

import io
import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import boto3
import samcli
from botocore.exceptions import ClientError

import poller
from local import HOST, TASKHOOK, TOOLS, free_port, listens
from processes import LOCAL, Interrupted, Processes, Trouble, end, last_lines, log_lines

REGION = "eu-central-1"
MACHINE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
RIE = Path(samcli.__file__).parent / f"local/rapid/aws-lambda-rie-{MACHINE}"
# What is deployed, and what the functions get of it.
STAGE = ROOT / "target/stack"
EVENTS = ROOT / "events"
NAMED = ["taskhook/github", "taskhook/jira"]
UNNAMED = "taskhook/gitlab"
# For AWS these allow SendMessageBatch, too, and so on; for ministack each batch call is an action of its own.
HAVE_BATCHES = {"sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}
# The roles as they are named in the table.
WEBHOOK, WORKER, DIRECT = "webhook", "worker", "webhook in Direct"


def main():
    if sys.platform != "linux":
        print("error: AWS's runtime interface emulator is a program for Linux", file=sys.stderr)
        return 1
    try:
        with Processes() as processes:
            tell(Stack(processes), processes.stop)
    except Trouble as trouble:
        print(f"\n✗ {trouble}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("\nStopped.")
        return 128 + interrupted.number
    return 0


def tell(stack, stop):
    stack.deploy("Durable")
    stack.check_mapping()
    durable = stack.try_roles(WEBHOOK)

    webhook, worker = stack.start("WebhookFunction"), stack.start("WorkerFunction")
    polling = stack.poll(worker)
    stack.deliver(webhook, "github/closed", 202)
    stack.wait_for("github/closed")
    say("a signed webhook is queued, and the worker updates the task")
    stack.hubspot_says("POST", "faults", {"forever": True, "status": 503})
    stack.deliver(webhook, "jira/status-changed", 202)
    stack.processes.wait("outage", lambda: any("1 come back" in line for line in log_lines(polling.log)))
    stack.hubspot_says("DELETE", "faults")
    stack.wait_for("jira/status-changed")
    say("HubSpot is down: the worker has the message come back soon, and updates the task then")
    stack.deliver(webhook, "github/bad-signature", 401)
    stack.deliver(webhook, stack.unmappable(), 200)
    stack.expect_messages(dead_letters=1)
    stack.deliver(webhook, "github/unknown-task", 202)
    stack.expect_messages(dead_letters=2)
    say("what can't be mapped is a dead letter of the webhook, what has no task is one of the worker")
    stack.deliver(webhook, "gitlab/closed", 500)
    say("a source whose secret WebhookSecrets doesn't name is refused, since IAM gives it to nobody")

    stop(polling)
    impostor = stack.start("WebhookFunction", role="WorkerRole")
    stack.deliver(impostor, "github/edited", 500, 503)
    stop(impostor)
    stack.deliver(webhook, "github/edited", 202)
    impostor = stack.start("WorkerFunction", role="WebhookRole")
    stack.expect_failure(impostor, "github/edited")
    stop(impostor)
    say("neither function works with the role of the other")

    taken = stack.take_policy("WebhookRole", "sqs:SendMessage")
    stack.deliver(webhook, "github/deleted", 503)
    stack.give_policy(*taken)
    stack.deliver(webhook, "github/deleted", 202)
    polling = stack.poll(worker)
    stack.wait_for("github/edited", "github/deleted")
    say("control: the same webhook is refused while its policy about SQS is taken away")

    stop(polling, worker)
    stack.deliver(webhook, "jira/due-date", 202)
    stack.deploy("Direct")
    direct = stack.try_roles(DIRECT)
    old, webhook = webhook, stack.start("WebhookFunction")
    stack.deliver(old, "jira/reassigned", 202)
    stack.deliver(webhook, "jira/unassigned", 200)
    worker = stack.start("WorkerFunction")
    polling = stack.poll(worker)
    stack.wait_for("jira/due-date", "jira/reassigned", "jira/unassigned")
    say("to Direct, with a message in the queue and an instance that still queues: nothing is lost")

    stop(polling, worker)
    stack.deliver(old, "jira/rich-text", 202)
    stop(old)
    stack.deploy("Durable")
    old, webhook = webhook, stack.start("WebhookFunction")
    stack.deliver(old, "github/reopened", 200)
    stop(old)
    stack.deliver(webhook, "jira/done", 202)
    worker = stack.start("WorkerFunction")
    polling = stack.poll(worker)
    stack.wait_for("jira/rich-text", "github/reopened", "jira/done")
    check(stack.try_roles(WEBHOOK) == durable, "the roles are others than before Direct")
    say("back to Durable, with an instance that still calls HubSpot: nothing is lost")

    stack.rotate_token()
    stack.deliver(webhook, "jira/deleted", 202)
    stack.wait_for("jira/deleted")
    say("the token is rotated: the running worker fetches the new one for the next delivery")
    stack.expect_messages(dead_letters=2)
    show(durable | direct)


def known(template):
    """The template without what the emulator doesn't know: saved queries, and alarms about calculated metrics."""
    resources = re.compile(r"^  \w+:\n(?:(?:    .*)?\n)+", re.MULTILINE)
    unknown = ("    Type: AWS::Logs::QueryDefinition\n", "\n      Metrics:\n")
    return resources.sub(lambda match: "" if any(words in match[0] for words in unknown) else match[0], template)


class Stack:
    """The stack on its emulator, and what runs for it."""

    def __init__(self, processes):
        """Starts the emulator and the stand-in for HubSpot."""
        self.processes, self.started = processes, 0
        self.portal = json.loads((EVENTS / "portal.json").read_text("utf-8"))
        port, self.hubspot_port = free_port(), free_port()
        # Nothing of the person's own proxies, and no settings of AWS, here or at home.
        self.base = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        self.base |= {"HOME": str(STAGE), "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
        self.base["AWS_ENDPOINT_URL"] = f"http://{HOST}:{port}"
        os.environ.clear()
        os.environ.update(self.base)
        # What ministack is started with are the keys of the account's root.
        self.root = self.base | {"AWS_ACCESS_KEY_ID": "root", "AWS_SECRET_ACCESS_KEY": secrets.token_hex()}
        LOCAL.mkdir(exist_ok=True)
        shutil.rmtree(STAGE, ignore_errors=True)
        (STAGE / "target").mkdir(parents=True)
        settings = {"AUTH": "true", "GATEWAY_PORT": str(port), "BIND_HOST": HOST, "MINISTACK_HOST": HOST}
        settings |= {"MINISTACK_REGION": REGION, "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
        processes.start("stack-aws", [TOOLS / "ministack"], self.root | settings)
        self.start_hubspot()
        processes.wait("AWS (ministack)", lambda: listens(port))
        self.iam, self.lambdas, self.sqs, self.secrets = (
            client(self.root, service) for service in ("iam", "lambda", "sqs", "secretsmanager")
        )
        for name, value in json.loads((EVENTS / "secrets.json").read_text("utf-8")).items():
            self.secrets.create_secret(Name=name, SecretString=value)

    def start_hubspot(self):
        seed = STAGE / "portal.json"
        seed.write_text(json.dumps(self.portal), "utf-8")
        sim = [TASKHOOK, "sim", "--port", self.hubspot_port, "--seed", seed]
        self.hubspot = self.processes.start("stack-hubspot", sim)
        self.processes.wait("HubSpot stand-in", lambda: listens(self.hubspot_port))

    def rotate_token(self):
        """A new token in HubSpot, which begins anew with it, and in Secrets Manager."""
        self.processes.stop(self.hubspot)
        self.portal["token"] = "pat-local-rotated"
        self.start_hubspot()
        self.secrets.put_secret_value(SecretId=self.token, SecretString=self.portal["token"])

    def hubspot_says(self, method, path, body=None):
        url = f"http://{HOST}:{self.hubspot_port}/_sim/{path}"
        with urlopen(Request(url, body and json.dumps(body).encode(), method=method)) as answer:
            return json.loads(answer.read() or "null")

    # The stack.

    def deploy(self, mode):
        # Its paths lead to the packages for this machine, and to the layer.
        (STAGE / "template.yaml").write_text(known((ROOT / "template.yaml").read_text()))
        for name, place in [("target/lambda", "target/lambda-host"), ("layer", "layer")]:
            (STAGE / name).unlink(missing_ok=True)
            (STAGE / name).symlink_to(ROOT / place)
        parameters = {
            "Mode": mode,
            "WebhookSecrets": ",".join(NAMED),
            "Architecture": MACHINE,
            # Nothing may get to the real one.
            "HubSpotBaseUrl": "https://hubspot.invalid",
            # ministack would take the messages itself, and ask no role; poller.py does it with the worker's.
            "PauseWorker": "true",
        }
        command = [TOOLS / "sam", "deploy", "--template", STAGE / "template.yaml", "--stack-name", "taskhook"]
        command += ["--region", REGION, "--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"]
        command += ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]
        sam = self.processes.start("stack-sam", command, self.root | {"SAM_CLI_TELEMETRY": "0"})
        # Of all processes this one has to end.
        self.processes.running.remove(sam)
        try:
            self.processes.wait(f"sam deploy, {mode}", lambda: sam.poll() is not None, 300)
        finally:
            end(sam)
        check(sam.returncode == 0, f"sam deploy ends with {sam.returncode}{last_lines(sam.log, 30)}")
        made = client(self.root, "cloudformation").describe_stack_resources(StackName="taskhook")["StackResources"]
        self.names = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in made}
        self.token = self.config("WorkerFunction")["Environment"]["Variables"]["HUBSPOT_TOKEN_SECRET"]
        for role in ("WebhookRole", "WorkerRole"):
            for name, policy in self.policies(role):
                for statement in policy["Statement"]:
                    actions = statement["Action"]
                    actions = {actions} if isinstance(actions, str) else {*actions}
                    statement["Action"] = sorted(actions | {action + "Batch" for action in actions & HAVE_BATCHES})
                self.give_policy(role, name, policy)
        say(f"sam deploy makes the stack: {mode}")

    def config(self, function):
        return self.lambdas.get_function_configuration(FunctionName=self.names[function])

    def policies(self, role):
        role = self.names[role]
        names = self.iam.list_role_policies(RoleName=role)["PolicyNames"]
        return [(name, self.iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]) for name in names]

    def give_policy(self, role, name, policy):
        self.iam.put_role_policy(RoleName=self.names[role], PolicyName=name, PolicyDocument=json.dumps(policy))

    def take_policy(self, role, action):
        """Takes the policy with an action away from a role. Returns what gives it back."""
        name, policy = next(one for one in self.policies(role) if action in json.dumps(one))
        self.iam.delete_role_policy(RoleName=self.names[role], PolicyName=name)
        return role, name, policy

    def check_mapping(self):
        """What poller.py stands in for."""
        mapping = self.lambdas.get_event_source_mapping(UUID=self.names["WorkerFunctionUpdates"])
        found = [mapping["EventSourceArn"], mapping["BatchSize"], mapping["FunctionResponseTypes"]]
        wanted = [self.queue("UpdatesQueue")["QueueArn"], poller.BATCH_SIZE, ["ReportBatchItemFailures"]]
        check(found == wanted, f"the event source mapping is {found}, not {wanted}")

    def keys(self, role):
        """An environment with keys of a role. With ministack, root may play the service that a role is for."""
        arn = self.iam.get_role(RoleName=role)["Role"]["Arn"]
        answer = client(self.root, "sts").assume_role(RoleArn=arn, RoleSessionName="stack")["Credentials"]
        keys = {"AWS_ACCESS_KEY_ID": answer["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": answer["SecretAccessKey"]}
        return self.base | keys | {"AWS_SESSION_TOKEN": answer["SessionToken"]}

    def try_roles(self, webhook):
        """Tries with the keys of each role what it may and may not do. Returns what IAM allowed, by words and role.

        No logs: Lambda writes them, and ministack asks for a group's ARN where AWS asks for a stream's.
        """
        updates, letters = ({"QueueUrl": self.names[queue]} for queue in ("UpdatesQueue", "DeadLetterQueue"))
        # Without the group that a FIFO queue wants: what IAM allows is refused by the queue.
        body, receive = {"MessageBody": "-"}, {"VisibilityTimeout": 0}
        attempts = [
            ("read the HubSpot token", "get_secret_value", {"SecretId": self.token}, {WORKER, DIRECT}),
            ("read a webhook's secret", "get_secret_value", {"SecretId": NAMED[0]}, {WEBHOOK, DIRECT}),
            ("read a secret that isn't named", "get_secret_value", {"SecretId": UNNAMED}, {}),
            ("send updates", "send_message", updates | body, {WEBHOOK, DIRECT}),
            ("receive updates", "receive_message", updates | receive, {WORKER}),
            ("purge the updates", "purge_queue", updates, {}),
            ("send dead letters", "send_message", letters | body, {WEBHOOK, WORKER, DIRECT}),
            ("receive dead letters", "receive_message", letters | receive, {}),
            ("purge the dead letters", "purge_queue", letters, {}),
        ]
        found = {}
        for who, role in [(webhook, "WebhookRole"), (WORKER, "WorkerRole")]:
            keys = self.keys(self.names[role])
            for words, operation, arguments, may in attempts:
                service = "secretsmanager" if operation == "get_secret_value" else "sqs"
                found[words, who] = is_allowed(getattr(client(keys, service), operation), arguments)
                says = "allows" if found[words, who] else "refuses"
                check(found[words, who] == (who in may), f"IAM {says} the role of the {who} to {words}")
        say(f"IAM allows {sum(found.values())} of {len(found)} attempts with the keys of the roles, the right ones")
        return found

    # The functions.

    def start(self, function, role=None):
        """Starts a function as the stack has it; with another role only to see it fail. Returns its process."""
        config = self.config(function)
        self.started += 1
        name = f"stack-{self.started}-{function}"
        folder = STAGE / name
        unpack(self.lambdas.get_function(FunctionName=config["FunctionName"])["Code"]["Location"], folder)
        (folder / "bootstrap").chmod(0o755)
        for layer in config.get("Layers", []):
            unpack(self.lambdas.get_layer_version_by_arn(Arn=layer["Arn"])["Content"]["Location"], folder / "opt")
        env = self.keys(self.names[role] if role else config["Role"].rpartition("/")[2])
        env |= config["Environment"]["Variables"]
        env |= {
            "LAMBDA_TASK_ROOT": str(folder),
            # /opt, where Lambda unpacks layers, is not ours.
            "TASKHOOK_SOURCES": str(folder / "opt/sources"),
            "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(config["Timeout"]),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config["MemorySize"]),
            "AWS_LAMBDA_LOG_FORMAT": config["LoggingConfig"]["LogFormat"],
            "AWS_LAMBDA_LOG_LEVEL": config["LoggingConfig"]["ApplicationLogLevel"],
        }
        if "HUBSPOT_BASE_URL" in env:
            env["HUBSPOT_BASE_URL"] = f"http://{HOST}:{self.hubspot_port}"
        port = free_port()
        command = [RIE, "--runtime-interface-emulator-address", f"{HOST}:{port}"]
        command += ["--runtime-api-address", f"{HOST}:{free_port()}", folder / "bootstrap"]
        process = self.processes.start(name, command, env)
        process.url = f"http://{HOST}:{port}/2015-03-31/functions/function/invocations"
        self.processes.wait(function, lambda: listens(port))
        return process

    def poll(self, worker):
        command = [sys.executable, ROOT / "scripts/poller.py", self.names["UpdatesQueue"], worker.url]
        return self.processes.start("stack-poller", command, self.keys(self.names["WorkerRole"]))

    def deliver(self, webhook, case, *statuses):
        """Sends a sample of events/, or a file, to a webhook, which has to answer with one of the statuses."""
        if isinstance(case, str) and statuses[0] < 300:
            check(not self.is_updated(case), f"{case} would change nothing")
        answer = invoke(webhook, json.loads((EVENTS / f"{case}.json").read_text("utf-8")))
        trouble = f"{case} should be answered {statuses}, not {answer}{last_lines(webhook.log)}"
        check(answer.get("statusCode") in statuses, trouble)

    def unmappable(self):
        """A signed event about an issue that has no number."""
        payload = STAGE / "payload.json"
        payload.write_text('{"action": "closed", "issue": {"updated_at": "2026-10-06T15:40:03Z"}}', "utf-8")
        command = [TASKHOOK, "event", "github", payload, "--header", "X-GitHub-Event: issues"]
        signed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
        (STAGE / "unmappable.json").write_bytes(signed)
        return STAGE / "unmappable"

    def expect_failure(self, worker, case):
        """Shows a worker the first message, which stays where it is; the worker may not be done with it."""
        first = {"QueueUrl": self.names["UpdatesQueue"], "VisibilityTimeout": 0, "MessageSystemAttributeNames": ["All"]}
        message = self.sqs.receive_message(**first)["Messages"][0]
        record = poller.record(message, self.queue("UpdatesQueue")["QueueArn"])
        answer = invoke(worker, {"Records": [record]})
        comes_back = poller.coming_back([message["MessageId"]], 200, json.dumps(answer))
        check(comes_back and not self.is_updated(case), f"this worker should have failed: {answer}")

    def is_updated(self, case):
        """Whether the tasks of a sample are in HubSpot as it says."""
        expected = json.loads((EVENTS / f"{case}.expected.json").read_text("utf-8"))
        tasks = [task["properties"] for task in self.hubspot_says("GET", "tasks")]
        for update in expected["updates"]:
            task = next((task for task in tasks if task.get(update["idProperty"]) == update["id"]), {})
            # An owner is still an address there, and HubSpot may keep a due date.
            texts = {name: value for name, value in update["properties"].items() if value and isinstance(value, str)}
            # The time is in the property that the source names for it.
            if texts.items() - task.items() or expected["time"] not in task.values():
                return False
        return True

    def wait_for(self, *cases):
        for case in cases:
            self.processes.wait(f"{case} in HubSpot", lambda case=case: self.is_updated(case))

    def queue(self, queue):
        return self.sqs.get_queue_attributes(QueueUrl=self.names[queue], AttributeNames=["All"])["Attributes"]

    def expect_messages(self, dead_letters):
        """No update is left, and so many dead letters lie there."""

        def count(queue):
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            return sum(int(self.queue(queue)[name]) for name in names)

        self.processes.wait("the last update", lambda: count("UpdatesQueue") == 0)
        found = count("DeadLetterQueue")
        check(found == dead_letters, f"there are {found} dead letters, not {dead_letters}")


def client(env, service):
    """A client with the keys of an environment."""
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    keys = {name.lower(): env.get(name) for name in names}
    return boto3.client(service, region_name=REGION, endpoint_url=env["AWS_ENDPOINT_URL"], **keys)


def is_allowed(call, arguments):
    """Whether IAM lets a call through. That its arguments are wrong only the service itself says."""
    try:
        call(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in ("AccessDenied", "AccessDeniedException", "MissingParameter"):
            raise
        return code == "MissingParameter"
    return True


def invoke(function, event):
    with urlopen(function.url, json.dumps(event).encode(), timeout=60) as answer:
        return json.load(answer)


def unpack(url, folder):
    with urlopen(url) as answer:
        zipfile.ZipFile(io.BytesIO(answer.read())).extractall(folder)


def show(found):
    print(f"\n{'What IAM said to the roles':32}{WEBHOOK:12}{WORKER:12}{DIRECT}")
    for words in dict.fromkeys(words for words, _ in found):
        webhook, worker, direct = ("allowed" if found[words, who] else "refused" for who in (WEBHOOK, WORKER, DIRECT))
        print(f"{words:32}{webhook:12}{worker:12}{direct}")


def say(text):
    print(f"✓ {text}", flush=True)


def check(is_right, trouble):
    if not is_right:
        raise Trouble(trouble)


if __name__ == "__main__":
    sys.exit(main())
