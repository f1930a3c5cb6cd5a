"""The stack, deployed and used as in AWS: `make stack`.

`sam deploy` makes it of template.yaml as it is and of the packages for this machine, on ministack, which enforces IAM.
What each role may do is tried with its keys. What isn't as it should be ends it with code 1.
"""

import json
import os
import platform
import secrets
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import boto3
from botocore.exceptions import ClientError

import poller
from local import HOST, TOOLS, free_port, listens
from processes import LOCAL, Interrupted, Processes, Trouble, end, last_lines

REGION = "eu-central-1"
MACHINE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
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
    try:
        with Processes() as processes:
            tell(Stack(processes))
    except Trouble as trouble:
        print(f"\n✗ {trouble}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("\nStopped.")
        return 128 + interrupted.number
    return 0


def tell(stack):
    stack.deploy("Durable")
    stack.check_mapping()
    durable = stack.try_roles(WEBHOOK)

    show(durable)


class Stack:
    """The stack on its emulator, and what runs for it."""

    def __init__(self, processes):
        """Starts the emulator."""
        self.processes = processes
        port = free_port()
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
        processes.wait("AWS (ministack)", lambda: listens(port))
        self.iam, self.lambdas, self.sqs, self.secrets = (
            client(self.root, service) for service in ("iam", "lambda", "sqs", "secretsmanager")
        )
        for name, value in json.loads((EVENTS / "secrets.json").read_text("utf-8")).items():
            self.secrets.create_secret(Name=name, SecretString=value)

    # The stack.

    def deploy(self, mode):
        # template.yaml as it is; its paths lead to the packages for this machine, and to the layer.
        shutil.copy(ROOT / "template.yaml", STAGE)
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

    def queue(self, queue):
        return self.sqs.get_queue_attributes(QueueUrl=self.names[queue], AttributeNames=["All"])["Attributes"]


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


def show(found):
    print(f"\n{'What IAM said to the roles':32}{WEBHOOK:12}{WORKER}")
    for words in dict.fromkeys(words for words, _ in found):
        webhook, worker = ("allowed" if found[words, who] else "refused" for who in (WEBHOOK, WORKER))
        print(f"{words:32}{webhook:12}{worker}")


def say(text):
    print(f"✓ {text}", flush=True)


def check(is_right, trouble):
    if not is_right:
        raise Trouble(trouble)


if __name__ == "__main__":
    sys.exit(main())
