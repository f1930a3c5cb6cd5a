"""Runs the function on this machine: `make demo` and `make dev`.

moto stands in for Secrets Manager, `taskhook sim` for HubSpot, and `cargo lambda watch` for Lambda. Everything that
is started here is stopped here, whatever happens; the logs stay in .local/.
"""

import argparse
import base64
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from processes import LOCAL, ROOT, SIGNALS, Interrupted, Processes, interrupt, last_lines
from standins import EVENTS, TASKHOOK, TOOLS, get, start, tool_env
from terminal import Trouble, bold, cut, green, red, width

# The function answers within TASKHOOK_REPLY_WITHIN, 8 s; what takes longer has died.
INVOKE_ANSWERS_WITHIN = 30


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


if __name__ == "__main__":
    sys.exit(main())
