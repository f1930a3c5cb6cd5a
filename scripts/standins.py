"""Starts the functions and what stands in for AWS and HubSpot.

moto stands in for Secrets Manager and SQS, `taskhook sim` for HubSpot, `cargo lambda watch` for Lambda, and poller.py
for Lambda's event source mapping.
"""

import http.client
import json
import os
import select
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from processes import LOCAL, ROOT, Progress, Trouble, last_lines, log_lines, report

EVENTS = ROOT / "events"
TOOLS = Path(sys.executable).parent
TASKHOOK = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "taskhook"

# direct: `webhook` calls HubSpot itself. durable: it queues the updates, and `worker` calls HubSpot.
MODES = ("direct", "durable")

REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
# The queues as template.yaml makes them.
DEAD_LETTERS = "taskhook-dead-letters.fifo"
UPDATES = "taskhook-updates.fifo"
HIGH_THROUGHPUT_FIFO = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "messageGroup",
    "FifoThroughputLimit": "perMessageGroupId",
    "MessageRetentionPeriod": str(14 * 24 * 3600),
}
# Six times the timeout of the worker.
VISIBILITY_TIMEOUT = 6 * 30
MAX_RECEIVE_COUNT = 1000

# `cargo lambda invoke` looks here when it isn't told another port.
USUAL_INVOKE_PORT = 9000
# The functions may have to be compiled before they answer.
FUNCTION_STARTS_WITHIN = 900
SERVER_STARTS_WITHIN = 60
# What talks to a local server must not go through a proxy.
NO_PROXY = "localhost,127.0.0.1,::1"
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Setup:
    """Where everything listens."""

    invoke_host: str
    invoke_port: int
    hubspot: str
    aws: str
    updates: str
    dead_letters: str
    sources: Path
    functions: subprocess.Popen = None

    @property
    def function_url(self):
        return f"http://localhost:{self.invoke_port}/lambda-url/webhook"

    @property
    def worker_url(self):
        host = f"[{self.invoke_host}]" if ":" in self.invoke_host else self.invoke_host
        return f"http://{host}:{self.invoke_port}/2015-03-31/functions/worker/invocations"

    def stage(self):
        """What `taskhook demo` has to know."""
        invoke = [os.path.relpath(TOOLS / "cargo-lambda", ROOT), "lambda", "invoke", "webhook"]
        if self.invoke_host != "::1":
            invoke += ["--invoke-address", self.invoke_host]
        if self.invoke_port != USUAL_INVOKE_PORT:
            invoke += ["--invoke-port", str(self.invoke_port)]
        return {
            "invoke": invoke,
            "function_url": self.function_url,
            "hubspot": self.hubspot,
            "aws": self.aws,
            "updates": self.updates,
            "dead_letters": self.dead_letters,
            "sources": os.path.relpath(self.sources, ROOT),
        }


def start(options, processes):
    """Starts what stands in for AWS and HubSpot, and waits until it answers."""
    LOCAL.mkdir(exist_ok=True)
    invoke_host = loopback()
    aws_port = free_port("127.0.0.1", options.aws_port)
    hubspot_port = free_port("127.0.0.1", options.hubspot_port)
    invoke_port = free_port(invoke_host, options.invoke_port, USUAL_INVOKE_PORT if options.command == "dev" else None)
    aws_url = f"http://127.0.0.1:{aws_port}"
    hubspot_url = f"http://127.0.0.1:{hubspot_port}"

    processes.start("aws", [TOOLS / "moto_server", "-H", "127.0.0.1", "-p", aws_port])
    processes.start("hubspot", [TASKHOOK, "sim", "--port", hubspot_port, "--seed", EVENTS / "portal.json"])
    wait("AWS (moto)", lambda: answers(aws_url), processes)
    secrets = create_secrets(aws_url)
    updates, dead_letters = create_queues(aws_url)
    report("AWS (moto)", aws_url, f"{secrets} secrets, 2 queues")
    wait("HubSpot stand-in", lambda: answers(f"{hubspot_url}/_sim/tasks"), processes)
    report("HubSpot stand-in", hubspot_url, f"{len(get(f'{hubspot_url}/_sim/tasks'))} tasks")
    setup = Setup(invoke_host, invoke_port, hubspot_url, aws_url, updates, dead_letters, LOCAL / "sources")
    stage = LOCAL / "stage.json"
    stage.write_text(json.dumps(setup.stage() | {"mode": "direct", "logs": []}), "utf-8")
    subprocess.run([TASKHOOK, "demo", "--stage", stage, "sources"], cwd=ROOT, check=True)
    return setup


def start_functions(setup, mode, processes, watches_changes):
    """Starts what a mode needs of the functions, and waits until it answers. Returns the processes."""
    watch = [TOOLS / "cargo-lambda", "lambda", "watch"]
    watch += ["--invoke-address", setup.invoke_host, "--invoke-port", setup.invoke_port]
    if not watches_changes:
        watch.append("--ignore-changes")
    env = functions_env(setup, mode)
    setup.functions = processes.start(f"functions-{mode}", watch, env)
    wait("Functions (cargo lambda)", lambda: listens(setup.invoke_host, setup.invoke_port), processes)
    wait_for_function("webhook", setup, processes, "GET", "/lambda-url/webhook/health")
    report("Function webhook", setup.function_url, f"{mode} mode, {len(list(setup.sources.glob('*.toml')))} sources")
    started = [setup.functions]
    if mode == "durable":
        no_messages = json.dumps({"Records": []})
        wait_for_function("worker", setup, processes, "POST", urlsplit(setup.worker_url).path, no_messages)
        report("Function worker", "behind the queue", UPDATES)
        poller = [sys.executable, ROOT / "scripts/poller.py", setup.updates, setup.worker_url]
        started.append(processes.start("poller", poller, env))
    return started


def loopback():
    """`::1`, where `cargo lambda invoke` looks by itself, or `127.0.0.1` on a machine without IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return "::1"
    except OSError:
        return "127.0.0.1"


def free_port(host, wanted, preferred=None):
    """The wanted port, or else the preferred one if it is free, or else any that is."""
    for port in [wanted] if wanted else [preferred, 0] if preferred else [0]:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return probe.getsockname()[1]
            except OSError as error:
                if wanted:
                    raise Trouble(f"port {wanted} can't be used: {error.strerror}") from error
    raise Trouble(f"no port is free on {host}")


def tool_env():
    """Our environment, without a proxy. With our PATH as well: another one would make cargo build anew."""
    return os.environ | {
        "NO_PROXY": NO_PROXY,
        "no_proxy": NO_PROXY,
    }


def functions_env(setup, mode):
    """The environment of the functions: nothing of the person's own AWS or HubSpot settings gets in."""
    ours = ("AWS_", "HUBSPOT_", "TASKHOOK_")
    env = {name: value for name, value in tool_env().items() if not name.startswith(ours)}
    env |= CREDENTIALS | {
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": setup.aws,
        "HUBSPOT_TOKEN_SECRET": "taskhook/hubspot",
        "HUBSPOT_BASE_URL": setup.hubspot,
        "TASKHOOK_SOURCES": str(setup.sources),
    }
    if mode == "durable":
        env |= {
            "AWS_ENDPOINT_URL_SQS": setup.aws,
            "TASKHOOK_QUEUE_URL": setup.updates,
            "TASKHOOK_DEAD_LETTER_URL": setup.dead_letters,
        }
    return env


def create_secrets(aws_url):
    """Creates the secrets of events/secrets.json. Returns their number."""
    secrets = json.loads((EVENTS / "secrets.json").read_text("utf-8"))
    client = aws_client("secretsmanager", aws_url)
    for name, value in secrets.items():
        client.create_secret(Name=name, SecretString=value)
    return len(secrets)


def create_queues(aws_url):
    """Creates the queue for updates and the one for dead letters. Returns their addresses."""
    sqs = aws_client("sqs", aws_url)
    dead_letters = sqs.create_queue(QueueName=DEAD_LETTERS, Attributes=HIGH_THROUGHPUT_FIFO)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    attributes = HIGH_THROUGHPUT_FIFO | {
        "VisibilityTimeout": str(VISIBILITY_TIMEOUT),
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVE_COUNT}),
    }
    updates = sqs.create_queue(QueueName=UPDATES, Attributes=attributes)["QueueUrl"]
    return updates, dead_letters


def aws_client(service, url):
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(proxies={}),
    )


def wait(what, is_ready, processes, limit=SERVER_STARTS_WITHIN, doing=lambda: ""):
    """Waits until `is_ready()`, showing how long it takes."""
    begin = time.monotonic()
    progress = Progress()
    while not is_ready():
        processes.check()
        took = time.monotonic() - begin
        if took > limit:
            logs = "".join(last_lines(process.log) for process in processes.running)
            raise Trouble(f"{what} doesn't answer after {limit} s{logs}")
        progress.show(f"{what}: starting, {took:.0f} s  {doing()}")
        time.sleep(0.1)
    progress.end()


def wait_for_function(name, setup, processes, method, path, body=None):
    """The first request makes `cargo lambda watch` compile and start a function."""
    log = setup.functions.log
    connection = http.client.HTTPConnection(setup.invoke_host, setup.invoke_port, timeout=10)
    connection.request(method, path, body)

    def has_answered():
        lines = log_lines(log)
        if any("command exited code=" in line for line in lines):
            raise Trouble(f"the function {name} doesn't start{last_lines(log, 30)}")
        return select.select([connection.sock], [], [], 0)[0]

    def doing():
        return next((line.strip() for line in reversed(log_lines(log)) if "Compiling" in line), "")

    wait(f"Function {name}", has_answered, processes, FUNCTION_STARTS_WITHIN, doing)
    answer = connection.getresponse()
    if answer.status != 200:
        text = answer.read().decode(errors="replace")
        raise Trouble(f"the function {name} answers {method} {path} with {answer.status}: {text}{last_lines(log)}")


def listens(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def answers(url):
    try:
        call("GET", url)
        return True
    except OSError:
        return False


def get(url):
    return json.loads(call("GET", url))


def call(method, url, body=None, headers=None):
    """Returns the body of the answer; `body` is sent as JSON."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | (headers or {})
    request = urllib.request.Request(url, data, headers, method=method)
    with HTTP.open(request, timeout=10) as answer:
        return answer.read()
