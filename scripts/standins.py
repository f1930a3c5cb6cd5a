"""Starts the function and what stands in for AWS and HubSpot.

moto stands in for Secrets Manager, `taskhook sim` for HubSpot, and `cargo lambda watch` for Lambda.
"""

import http.client
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from processes import LOCAL, ROOT, last_lines, log_lines
from terminal import Trouble, cut, report, width

EVENTS = ROOT / "events"
TOOLS = Path(sys.executable).parent
TASKHOOK = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "taskhook"

REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
# `cargo lambda invoke` looks here when it isn't told another port.
USUAL_INVOKE_PORT = 9000
# The function may have to be compiled before it answers.
FUNCTION_STARTS_WITHIN = 900
SERVER_STARTS_WITHIN = 60
# The function answers within TASKHOOK_REPLY_WITHIN, 8 s; what takes longer has died.
INVOKE_ANSWERS_WITHIN = 30
# What talks to a local server must not go through a proxy.
NO_PROXY = "localhost,127.0.0.1,::1"
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Setup:
    """Where everything listens."""

    invoke_host: str
    invoke_port: int
    hubspot: str
    secrets: str
    function: subprocess.Popen

    @property
    def function_url(self):
        return f"http://localhost:{self.invoke_port}/lambda-url/webhook"

    def invoke_command(self, path):
        """The command that sends one sample event."""
        command = [os.path.relpath(TOOLS / "cargo-lambda", ROOT), "lambda", "invoke", "webhook", "--data-file", str(path.relative_to(ROOT))]
        if self.invoke_host != "::1":
            command += ["--invoke-address", self.invoke_host]
        if self.invoke_port != USUAL_INVOKE_PORT:
            command += ["--invoke-port", str(self.invoke_port)]
        return command


def start(options, processes):
    """Starts the stand-ins and the function side by side, and waits until all of them answer."""
    LOCAL.mkdir(exist_ok=True)
    invoke_host = loopback()
    secrets_port = free_port("127.0.0.1", options.secrets_port)
    hubspot_port = free_port("127.0.0.1", options.hubspot_port)
    invoke_port = free_port(invoke_host, options.invoke_port, USUAL_INVOKE_PORT if options.command == "dev" else None)
    secrets_url = f"http://127.0.0.1:{secrets_port}"
    hubspot_url = f"http://127.0.0.1:{hubspot_port}"

    processes.start("secrets-manager", [TOOLS / "moto_server", "-H", "127.0.0.1", "-p", secrets_port])
    processes.start("hubspot", [TASKHOOK, "sim", "--port", hubspot_port, "--seed", EVENTS / "portal.json"])
    sources = copy_sources()
    watch = [TOOLS / "cargo-lambda", "lambda", "watch", "--invoke-address", invoke_host, "--invoke-port", invoke_port]
    if options.command == "demo":
        watch.append("--ignore-changes")
    function = processes.start("function", watch, function_env(secrets_url, hubspot_url, sources))
    setup = Setup(invoke_host, invoke_port, hubspot_url, secrets_url, function)

    wait("Secrets Manager (moto)", lambda: answers(secrets_url), processes)
    count = create_secrets(secrets_url)
    report("Secrets Manager (moto)", secrets_url, f"{count} secrets")
    wait("HubSpot stand-in", lambda: answers(f"{hubspot_url}/_sim/tasks"), processes)
    report("HubSpot stand-in", hubspot_url, f"{len(get(f'{hubspot_url}/_sim/tasks'))} tasks")
    wait_for_function(setup, processes)
    report("Function (cargo lambda)", setup.function_url, f"{len(list(sources.glob('*.toml')))} sources")
    return setup


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


def copy_sources():
    """Copies sources/ and sources/available/ to .local/sources, ready for deliveries of any age."""
    copies = LOCAL / "sources"
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir()
    # A file that was enabled, and perhaps adapted, is in both: the one in sources/ counts.
    for source in [*(ROOT / "sources/available").glob("*.toml"), *(ROOT / "sources").glob("*.toml")]:
        (copies / source.name).write_text(with_wide_tolerance(source.read_text("utf-8")), "utf-8")
    return copies


def with_wide_tolerance(source):
    """The sample events were signed at fixed times: a hundred years of tolerance let them pass.

    >>> print(with_wide_tolerance('''path = "/a"
    ... [verify]
    ... scheme    = "slack"
    ... tolerance = "5m"  # short
    ... [task]
    ... id = ".id"'''), end="")
    path = "/a"
    [verify]
    tolerance = "876000h"
    scheme    = "slack"
    [task]
    id = ".id"
    """
    lines = []
    in_verify = False
    for line in source.splitlines(keepends=True):
        starts_table = re.match(r"\s*\[", line)
        if starts_table:
            in_verify = re.match(r"\s*\[\s*verify\s*\]", line)
        elif in_verify and re.match(r"\s*tolerance\s*=", line):
            continue
        lines.append(line)
        if starts_table and in_verify:
            lines.append('tolerance = "876000h"\n')
    return "".join(lines)


def tool_env():
    """Our environment, without a proxy. With our PATH as well: another one would make cargo build anew."""
    return os.environ | {
        "NO_PROXY": NO_PROXY,
        "no_proxy": NO_PROXY,
    }


def function_env(secrets_url, hubspot_url, sources):
    """The environment of the function: nothing of the person's own AWS or HubSpot settings gets in."""
    ours = ("AWS_", "HUBSPOT_", "TASKHOOK_")
    env = {name: value for name, value in tool_env().items() if not name.startswith(ours)}
    return env | CREDENTIALS | {
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets_url,
        "HUBSPOT_TOKEN_SECRET": "taskhook/hubspot",
        "HUBSPOT_BASE_URL": hubspot_url,
        "TASKHOOK_SOURCES": str(sources),
    }


def create_secrets(url):
    """Creates the secrets of events/secrets.json through the AWS API."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "secretsmanager",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(proxies={}),
    )
    secrets = json.loads((EVENTS / "secrets.json").read_text("utf-8"))
    for name, value in secrets.items():
        client.create_secret(Name=name, SecretString=value)
    return len(secrets)


def wait(what, is_ready, processes, limit=SERVER_STARTS_WITHIN, doing=lambda: ""):
    """Waits until `is_ready()`, showing how long it takes."""
    begin = shown = time.monotonic()
    while not is_ready():
        processes.check()
        now = time.monotonic()
        if now - begin > limit:
            logs = "".join(last_lines(process.log) for process in processes.running)
            raise Trouble(f"{what} doesn't answer after {limit} s{logs}")
        line = f"{what}: starting, {now - begin:.0f} s  {doing()}"
        if sys.stdout.isatty():
            print(f"\r\x1b[K{cut(line, width() - 1)}", end="", flush=True)
        elif now - shown >= 10:
            shown = now
            print(line, flush=True)
        time.sleep(0.1)
    if sys.stdout.isatty():
        print("\r\x1b[K", end="", flush=True)


def wait_for_function(setup, processes):
    """The first request makes `cargo lambda watch` compile and start the function."""
    log = setup.function.log
    connection = http.client.HTTPConnection(setup.invoke_host, setup.invoke_port, timeout=10)
    wait("Function (cargo lambda)", lambda: listens(setup.invoke_host, setup.invoke_port), processes)
    connection.request("GET", "/lambda-url/webhook/health")

    def has_answered():
        lines = log_lines(log)
        if any("command exited code=" in line for line in lines):
            raise Trouble(f"the function doesn't start{last_lines(log, 30)}")
        return select.select([connection.sock], [], [], 0)[0]

    def doing():
        return next((line.strip() for line in reversed(log_lines(log)) if "Compiling" in line), "")

    wait("Function (cargo lambda)", has_answered, processes, FUNCTION_STARTS_WITHIN, doing)
    answer = connection.getresponse()
    if answer.status != 200:
        text = answer.read().decode(errors="replace")
        raise Trouble(f"the function answers /health with {answer.status}: {text}{last_lines(log)}")


def listens(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def answers(url):
    try:
        get(url, parse=False)
        return True
    except OSError:
        return False


def get(url, parse=True):
    with HTTP.open(url, timeout=10) as answer:
        return json.load(answer) if parse else answer.read()
