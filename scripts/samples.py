"""The story of the direct mode: every sample event, and what comes of it."""

import base64
import json
import re
import shlex
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from processes import ROOT, last_lines
from standins import EVENTS, INVOKE_ANSWERS_WITHIN, get, tool_env
from terminal import Trouble, bold, cut, green, red, width


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
        log = last_lines(setup.functions.log)
        raise Trouble(f"no answer to {case.name} within {INVOKE_ANSWERS_WITHIN} s{log}") from None
    except (ValueError, KeyError, TypeError):
        log = last_lines(setup.functions.log)
        raise Trouble(f"{shlex.join(command)} gave no answer:\n{run.stdout}{run.stderr}{log}") from None
    if response.get("isBase64Encoded"):
        text = base64.b64decode(text).decode(errors="replace")
    return Answer(status, text)


# The story


def tell(setup):
    """Sends every sample event, and shows what came of it. Returns what is not as expected."""
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
    return wrong


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
