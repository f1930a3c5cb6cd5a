"""Runs the function on this machine: `make demo` and `make dev`.

moto stands in for Secrets Manager, `taskhook sim` for HubSpot, and `cargo lambda watch` for Lambda. Everything that
is started here is stopped here, whatever happens; the logs stay in .local/.
"""

import argparse
import base64
import http.client
import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EVENTS = ROOT / "events"
LOCAL = ROOT / ".local"
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
STOPS_WITHIN = 5

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What talks to a local server must not go through a proxy.
NO_PROXY = "localhost,127.0.0.1,::1"
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main():
    options = parse_options()
    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        check_tools()
        with Processes() as processes:
            if options.command == "demo":
                return demo(start(options, processes))
            dev(start(options, processes), processes)
    except Trouble as trouble:
        print(f"\n{red('error:')} {trouble}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("\nStopped.")
        if options.command == "dev" and interrupted.number == signal.SIGINT:
            return 0
        return 128 + interrupted.number


def parse_options():
    parser = argparse.ArgumentParser(description="Runs the function here, with stand-ins for AWS and HubSpot.")
    parser.add_argument("command", choices=["demo", "dev"], help="demo: send every sample event; dev: stay up")
    for name, of in [("invoke", "the function"), ("hubspot", "the HubSpot stand-in"), ("secrets", "Secrets Manager")]:
        variable = f"{name.upper()}_PORT"
        parser.add_argument(
            f"--{name}-port",
            type=int,
            metavar="PORT",
            default=os.environ.get(variable) or None,
            help=f"port of {of}; also by the variable {variable}; default: a free one",
        )
    return parser.parse_args()


class Trouble(Exception):
    """What went wrong, and what to do, in words for the person at the terminal."""


class Interrupted(BaseException):
    """A signal asks for the end. Not an `Exception`, so that nothing takes it for a failure of its own."""

    def __init__(self, number):
        self.number = number


def interrupt(number, _frame):
    raise Interrupted(number)


def check_tools():
    """Everything that is needed and not there, at once."""
    needed = {
        TOOLS / "moto_server": "run `make setup`",
        TOOLS / "cargo-lambda": "run `make setup`",
        TASKHOOK: "run `make build`",
        EVENTS / "secrets.json": "it belongs to the repository",
        EVENTS / "portal.json": "it belongs to the repository",
    }
    missing = [f"{path} is missing: {cure}" for path, cure in needed.items() if not path.exists()]
    if not shutil.which("cargo"):
        missing.append("cargo is missing: install Rust from https://rustup.rs")
    if missing:
        raise Trouble("\n       ".join(missing))


# Processes


class Processes:
    """The processes of one run. Leaving the `with` block stops all of them."""

    def __init__(self):
        self.running = []

    def __enter__(self):
        return self

    def start(self, name, command, env=None):
        """Starts a process that writes to .local/NAME.log."""
        log = LOCAL / f"{name}.log"
        with signals_held_back(), log.open("wb") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for this script alone, which then stops the others in order.
                start_new_session=True,
            )
            process.name, process.log = name, log
            self.running.append(process)
        return process

    def check(self):
        """Fails when a process has ended that should still run."""
        for process in self.running:
            if process.poll() is not None:
                raise Trouble(f"{process.name} has ended with code {process.returncode}{last_lines(process.log)}")

    def __exit__(self, *_):
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        # `cargo lambda watch` puts the function into a session of its own: a process group would miss it.
        pids = descendants({process.pid for process in self.running})
        send_signal(pids, signal.SIGTERM)
        deadline = time.monotonic() + STOPS_WITHIN
        while pids and time.monotonic() < deadline:
            for process in self.running:
                process.poll()
            pids = {pid for pid in pids if is_alive(pid)}
            time.sleep(0.05)
        send_signal(pids, signal.SIGKILL)
        for process in self.running:
            process.wait()


@contextmanager
def signals_held_back():
    """No process is started and then forgotten because a signal came in between."""
    held = []
    handlers = {number: signal.signal(number, lambda n, _: held.append(n)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if held:
        raise Interrupted(held[0])


def descendants(pids):
    """These processes, their children, and so on."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    parents = [tuple(map(int, line.split())) for line in table.splitlines()]
    found = set()
    new = set(pids)
    while new:
        found |= new
        new = {pid for pid, parent in parents if parent in new} - found
    return found


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def send_signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def log_lines(log):
    text = log.read_text(errors="replace") if log.exists() else ""
    return [line for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if line.strip()]


def last_lines(log, count=15):
    lines = log_lines(log)[-count:]
    return f"; the end of {log.relative_to(ROOT)}:\n" + "\n".join(f"  | {line}" for line in lines) if lines else ""


# Setting up


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


def report(what, where, details):
    print(f"{what:<24} {where:<42} {details}", flush=True)


# Sample events


@dataclass
class Case:
    """A sample event and what is expected of it."""

    path: Path
    expected: dict

    @property
    def name(self):
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def status(self):
        return self.expected.get("refused", 200)

    @property
    def place(self):
        """Each source's events in the order in which they happened; those without a time come last."""
        return self.path.parent.name, self.expected.get("time") or "~", self.path.stem


def cases():
    found = []
    for path in EVENTS.glob("*/*.json"):
        if not path.name.endswith(".expected.json"):
            expected = path.with_suffix(".expected.json")
            found.append(Case(path, json.loads(expected.read_text("utf-8")) if expected.exists() else {}))
    return sorted(found, key=lambda case: case.place)


@dataclass
class Answer:
    """What the sender of an event gets."""

    status: int
    text: str

    @property
    def body(self):
        try:
            body = json.loads(self.text)
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    @property
    def counts(self):
        """
        >>> Answer(200, '{"received": 3, "updated": 2, "failed": 1, "stale": 0, "tasks": []}').counts
        'updated 2, failed 1'
        >>> Answer(401, '{"title": "Unauthorized", "status": 401, "detail": "wrong signature"}').counts
        'Unauthorized: wrong signature'
        >>> Answer(200, 'challenge').counts
        'challenge'
        """
        if "received" in self.body:
            # A problem may carry the summary's fields too, beside its own `status`.
            counts = {name: n for name, n in self.body.items() if name not in ("received", "status")}
            return ", ".join(f"{name} {n}" for name, n in counts.items() if isinstance(n, int) and n)
        if "title" in self.body:
            return ": ".join(filter(None, [self.body["title"], self.body.get("detail")]))
        return self.text.strip() or "(empty)"

    @property
    def rows(self):
        return self.body.get("tasks") or []


def send(case, setup):
    """Sends one sample event with `cargo lambda invoke`."""
    command = setup.invoke_command(case.path)
    try:
        run = subprocess.run(
            command,
            cwd=ROOT,
            env=tool_env(),
            capture_output=True,
            text=True,
            timeout=INVOKE_ANSWERS_WITHIN,
            check=False,
        )
        response = json.loads(run.stdout)
        status, text = response["statusCode"], response.get("body") or ""
    except subprocess.TimeoutExpired:
        log = last_lines(setup.function.log)
        raise Trouble(f"no answer to {case.name} within {INVOKE_ANSWERS_WITHIN} s{log}") from None
    except (ValueError, KeyError, TypeError):
        log = last_lines(setup.function.log)
        raise Trouble(f"{shlex.join(command)} gave no answer:\n{run.stdout}{run.stderr}{log}") from None
    if response.get("isBase64Encoded"):
        text = base64.b64decode(text).decode(errors="replace")
    return Answer(status, text)


# Demo


def demo(setup):
    """Sends every sample event, and shows what came of it."""
    todo = cases()
    before = tasks(setup)
    tickets = {}
    wrong = []
    name_width = max(len(case.name) for case in todo)
    print()
    for case in todo:
        answer = send(case, setup)
        tickets |= {row["recordId"]: row["id"] for row in answer.rows if row.get("recordId")}
        if answer.status != case.status:
            wrong.append(f"{case.name}: {answer.status} instead of {case.status}")
        mark = green("✓") if answer.status == case.status else red("✗")
        details = [f"{row['id'] or '(no id)'}{why(row)}" for row in answer.rows]
        first = f"{answer.counts}  {details[0]}" if len(details) == 1 else answer.counts
        print(f"{mark} {case.name:<{name_width}}  {answer.status}  {cut(first, width() - name_width - 9)}", flush=True)
        if len(details) > 1:
            for row, detail in zip(answer.rows, details):
                print(cut(f"  {'':<{name_width}}       {row['outcome']:<9} {detail}", width()), flush=True)

    print_tasks(before, tasks(setup), tickets)
    calls = Counter(f"{call['method']} {call['path'].split('?')[0]}" for call in get(f"{setup.hubspot}/_sim/calls"))
    print(f"\n{len(todo)} events, {calls.total()} calls to HubSpot")
    for call, count in calls.most_common():
        print(f"{count:>6}  {call}")
    if wrong:
        print(f"\n{red('Not as expected:')}\n  " + "\n  ".join(wrong), file=sys.stderr)
        return 1
    return 0


def why(row):
    """
    >>> why({"outcome": "failed", "reason": "not_found", "detail": "no task has github_issue a/b#1"})
    '  not_found: no task has github_issue a/b#1'
    >>> why({"outcome": "updated"})
    ''
    """
    text = ": ".join(filter(None, [row.get("reason"), row.get("detail")]))
    return f"  {text}" if text else ""


def tasks(setup):
    return {task["id"]: task["properties"] for task in get(f"{setup.hubspot}/_sim/tasks")}


COLUMNS = {
    "status": "hs_task_status",
    "priority": "hs_task_priority",
    "due": "hs_timestamp",
    "owner": "hubspot_owner_id",
    "subject": "hs_task_subject",
}


def print_tasks(before, after, tickets):
    """Every task as it was; below it, what became different."""
    table = [["task", "ticket", *COLUMNS, "also changed"]]
    changed_rows = set()
    for task in sorted(before.keys() | after.keys(), key=lambda task: (len(task), task)):
        old, new = before.get(task, {}), after.get(task, {})
        changed = [name for name in {**old, **new} if (old.get(name) or "") != (new.get(name) or "")]
        if old:
            cells = [short(old.get(name)) for name in COLUMNS.values()]
            table.append([task, tickets.get(task, ""), *cells, ""])
        if changed:
            cells = [(short(new.get(name)) or "(empty)") if name in changed else "" for name in COLUMNS.values()]
            others = ", ".join(name for name in changed if name not in COLUMNS.values() and name != "hs_lastmodifieddate")
            changed_rows.add(len(table))
            table.append(["   →" if old else task, "" if old else tickets.get(task, "(new)"), *cells, others])
    print("\nTasks in HubSpot: before, and below it (→) what changed\n")
    widths = [min(max(len(row[column]) for row in table), 28) for column in range(len(table[0]))]
    for number, row in enumerate(table):
        line = "  ".join(f"{cut(cell, size):<{size}}" for cell, size in zip(row[:-1], widths))
        line = cut(f"{line}  {row[-1]}".rstrip(), width())
        print(bold(line) if number == 0 else green(line) if number in changed_rows else line)


def short(value):
    """
    >>> short("2026-10-16T07:00:00.000Z")
    '2026-10-16 07:00'
    >>> short("COMPLETED"), short(None)
    ('COMPLETED', '')
    """
    value = value or ""
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)\S*$", r"\1 \2", value)


# Dev


def dev(setup, processes):
    """Says what can be done, and stays until it is told to stop."""
    case = next(case for case in cases() if case.expected.get("updates"))
    print(f"""
Sample events were signed some time ago: the function reads .local/sources, copies of sources/ and
sources/available/ that let any age pass.
After a change in sources/, start `make dev` again. The logs are in .local/: tail -f .local/function.log

{bold("A sample event")} (or with `cargo lambda invoke`, where cargo-lambda is installed)
  {shlex.join(setup.invoke_command(case.path))}

{bold("The same as the sender does it")}
  {curl(case, setup)}

{bold("What HubSpot has, and what it was asked")}
  curl -s {setup.hubspot}/_sim/tasks
  curl -s {setup.hubspot}/_sim/calls

Ctrl-C stops everything.""", flush=True)
    while True:
        processes.check()
        time.sleep(0.5)


def curl(case, setup):
    """A curl command with a sample event's body and the headers that its sender sets, signature included."""
    event = json.loads(case.path.read_text("utf-8"))
    body = event["body"].encode()
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    file = LOCAL / f"{case.path.parent.name}.body"
    file.write_bytes(body)
    of_the_way = re.compile("(accept|connection|content-length|host|user-agent|x-amzn-|x-forwarded-)")
    headers = [f"{name}: {value}" for name, value in event["headers"].items() if not of_the_way.match(name)]
    parts = [f"curl -i {shlex.quote(setup.function_url + event['rawPath'])}"]
    parts += [f"-H {shlex.quote(header)}" for header in headers]
    parts += [f"--data-binary @{file.relative_to(ROOT)}"]
    return " \\\n    ".join(parts)


# Terminal


def width():
    return shutil.get_terminal_size((120, 24)).columns


def cut(text, size):
    """
    >>> cut("a long line", 6), cut("short", 6), cut("two\\nlines", 20)
    ('a lon…', 'short', 'two lines')
    """
    text = text.replace("\n", " ")
    return text if len(text) <= size else text[: max(size - 1, 0)] + "…"


def paint(code, text):
    return f"\x1b[{code}m{text}\x1b[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def bold(text):
    return paint("1", text)


def green(text):
    return paint("32", text)


def red(text):
    return paint("31", text)


if __name__ == "__main__":
    sys.exit(main())
