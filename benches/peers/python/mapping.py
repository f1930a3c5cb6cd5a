"""What a HubSpot task gets of a GitHub issue: the same as in sources/github.toml."""

import re
from datetime import datetime, timezone

STATUS = {
    "open": "NOT_STARTED",
    "reopened": "NOT_STARTED",
    "closed": "COMPLETED",
    "completed": "COMPLETED",
    "not_planned": "DEFERRED",
    "duplicate": "DEFERRED",
    "gone": "DEFERRED",
}
PRIORITY = {
    "Urgent": "HIGH", "High": "HIGH", "Medium": "MEDIUM", "Low": "LOW",
    "P0": "HIGH", "P1": "HIGH", "P2": "MEDIUM", "P3": "LOW", "P4": "LOW",
}  # fmt: skip
PRIORITY_LABEL = re.compile("p[0-4]", re.IGNORECASE)
# The longest text that a property of HubSpot holds, in units of UTF-16.
LONGEST = 65_536


def is_about_an_issue(payload):
    return bool(payload.get("action") and payload.get("issue") and "comment" not in payload)


def task_id(payload):
    return f"{payload['repository']['full_name']}#{payload['issue']['number']}"


def properties(payload):
    """The task's new values. What the issue has empty is cleared (""); what the event doesn't mention is left alone."""
    issue = payload["issue"]
    values = {"hs_task_type": "TODO"}
    if issue.get("title") is not None:
        values["hs_task_subject"] = issue["title"]
    if "body" in issue:
        values["hs_task_body"] = html((issue["body"] or "")[:60_000])
    due = due_date(issue)
    if due is not None:
        values["hs_timestamp"] = due
    level = priority(payload)
    if level:
        values["hs_task_priority"] = level
    gone = payload["action"] in ("deleted", "transferred")
    status = STATUS.get("gone" if gone else issue.get("state_reason") or issue.get("state"))
    if status:
        values["hs_task_status"] = status
    return values


def due_date(issue):
    """The milestone's due date, "" if there is none, None if the event doesn't say."""
    if "milestone" not in issue:
        return None
    milestone = issue["milestone"] or {"due_on": None}
    if "due_on" not in milestone:
        return None
    return utc(milestone["due_on"]) if milestone["due_on"] else ""


def priority(payload):
    """By the issue field Priority, else by the first label P0 to P4; None if the event leaves it open."""
    issue, changed = payload["issue"], payload.get("issue_field") or {}
    is_changed = changed.get("name") == "Priority"
    fields = choice_fields(issue, changed)
    value = next((value for name, value in fields if name == "Priority"), None)
    if is_changed and value is None:
        value = ((payload.get("issue_field_value") or {}).get("option") or {}).get("name")
    if is_changed and payload["action"] == "field_removed":
        value = None
    if value is not None:
        return PRIORITY.get(value)
    if "labels" not in issue:
        return None
    for label in (issue["labels"] or [])[:100]:
        if PRIORITY_LABEL.fullmatch(label["name"]):
            return PRIORITY[label["name"].upper()]
    # A field without a name may be the priority.
    return "NONE" if is_changed or all(name for name, _ in fields) else None


def choice_fields(issue, changed):
    """Names and values of the issue's fields of one choice; the name is None where the event doesn't say it."""
    fields = []
    for field in (issue.get("issue_field_values") or [])[:50]:
        name = field.get("issue_field_name")
        if name is None and field.get("issue_field_id") == changed.get("id"):
            name = changed.get("name")
        if name == "Priority" or field.get("data_type") == "single_select":
            option = field.get("single_select_option") or {}
            fields.append((name, option.get("name") or field.get("value")))
    return fields


def html(text):
    """Text as HTML that shows the same text, and that a property of HubSpot holds."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>")
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * LONGEST:
        return text
    text = units[: 2 * LONGEST].decode("utf-16-le", "ignore")
    # Not within &amp; or <br>.
    return re.sub("(&[a-z]{0,3}|<(b|br)?)$", "", text)


def utc(text):
    """A time of GitHub as HubSpot returns times."""
    time = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
