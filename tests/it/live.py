"""Asks a real HubSpot what nobody has proven: `make live`.

Each case is one point on which Taskhook and its stand-in rely, with what they assume. `HUBSPOT_TOKEN` is the token of a
test account, `HUBSPOT_BASE_URL` another address, such as the stand-in's. Prints a Markdown table for docs/live.md on
standard output, and how it goes on standard error.

It makes properties, tasks and contacts of its own, writes to nothing else (see `Ours`), and archives them at the end.
Ends with 0 where all is as assumed, with 1 where something differs, with 2 where something could not be asked or removed.
"""

import datetime
import email.utils
import http.client
import json
import os
import secrets
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

HUBSPOT = "https://api.hubapi.com"
# The version that Taskhook uses by default, and the next.
VERSION, NEXT_VERSION = "2026-03", "2026-09"
PREFIX = "taskhook_live_"
SUBJECT = "Taskhook asks how HubSpot behaves"
DUE = "2026-02-03T04:05:06Z"
# HubSpot's most records in a batch.
BATCH = 100
TRIES = 6
# Seconds. HubSpot promises no Retry-After; its shortest limit, of 100 calls, lasts ten seconds.
TIMEOUT, USUAL_WAIT, LONGEST_WAIT, PAUSE = 60, 10, 120, 0.15
# So many calls are left to others before the limit is reached.
SPARE_CALLS = 10
# The most calls of the case that runs into a limit on purpose.
MOST_SEARCHES = 40


class CannotRun(Exception):
    """Nothing can be asked any more."""


class Undecided(Exception):
    """HubSpot did not say what a case wants to know."""


class Skipped(Exception):
    """A case doesn't apply to this portal or token."""


class NotOurs(Exception):
    """A request that would touch what this run did not make: a mistake in this file."""


# How to speak to HubSpot.


class Answer:
    """A status, headers and the body as JSON; a body that is none counts as empty."""

    def __init__(self, status, headers, text):
        self.status, self.headers = status, headers
        try:
            self.body = json.loads(text or b"{}")
        except ValueError:
            self.body = {}
        if not isinstance(self.body, dict):
            self.body = {}
        self.results = self.body.get("results") or []
        self.errors = self.body.get("errors") or []
        self.is_success = 200 <= status < 300

    def result(self, id):
        """The result with this record id, or an empty one."""
        return next((result for result in self.results if str(result.get("id")) == id), {})

    def ids(self):
        return [str(result.get("id")) for result in self.results]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes the token nowhere else."""

    def redirect_request(self, *_):
        return None


class Ours:
    """What this run made. Nothing else is written to, linked or archived: `check` sees every request."""

    def __init__(self, prefix):
        # Random, so that a property whose name begins with it can't be anybody else's, nor a task with a value of it.
        self.prefix = prefix
        self.records = {"tasks": set(), "contacts": set()}
        self.properties = set()
        # Requests that may have made something, but whose answer never came.
        self.unsettled = []

    def check(self, method, path, body):
        """Lets calls through that only read, and those that write to nothing but what is ours."""
        named = []
        match method, path.partition("?")[0].strip("/").split("/"):
            case "GET", _:
                pass
            case "POST", ["crm", "objects", _, _, "batch", "read"] | ["crm", "objects", _, _, "search"]:
                pass
            case "POST", ["crm", "associations", _, _, _, "batch", "read"]:
                pass
            case "POST", ["crm", "objects", _, "tasks" | "contacts", "batch", "create"]:
                if any(set(row) - {"properties", "objectWriteTraceId"} for row in body["inputs"]):
                    raise NotOurs(f"{path} with more than values")
            case "POST", ["crm", "objects", _, kind, "batch", "update" | "upsert" | "archive"]:
                named = [(row.get("idProperty", "hs_object_id"), kind, row["id"]) for row in body["inputs"]]
            case "POST", ["crm", "associations", _, one, other, "batch", "associate", "default"]:
                for pair in body["inputs"]:
                    named.append(("hs_object_id", one, pair["from"]["id"]))
                    named.append(("hs_object_id", other, pair["to"]["id"]))
            case "POST", ["crm", "properties", _, _]:
                named = [(body["name"], None, None)]
            case "POST", ["crm", "properties", _, _, "batch", "create"] if not body["inputs"]:
                pass
            case ("PATCH" | "DELETE"), ["crm", "properties", _, _, name]:
                named = [(name, None, None)]
            case _:
                raise NotOurs(f"{method} {path}")
        for name, kind, id in named:
            is_record = name == "hs_object_id" and id in self.records.get(kind, ())
            if not is_record and not name.startswith(self.prefix):
                raise NotOurs(f"{method} {path} would touch {kind or 'property'} {id or name}")

    def begin(self, method, path, body):
        """Remembers what a request may make, before it is sent."""
        match method, path.strip("/").split("/"):
            case "POST", ["crm", "properties", _, "tasks"]:
                self.properties.add(body["name"])
            case "POST", ["crm", "objects", _, kind, "batch", "create" | "upsert"]:
                self.unsettled.append((kind, body))

    def settle(self, path, body, answer):
        """Keeps the ids of the records that an answer says were made."""
        match path.strip("/").split("/"):
            case ["crm", "objects", _, kind, "batch", "create" | "upsert"]:
                self.records[kind].update(answer.ids())
                # A proxy's 502 doesn't say what HubSpot did.
                if answer.status < 500:
                    self.unsettled.remove((kind, body))


class Portal:
    """A portal of HubSpot with what this run makes in it."""

    def __init__(self, url, token):
        self.url, self.token = url.rstrip("/"), token
        self.ours = Ours(PREFIX + secrets.token_hex(5))
        self.opener = urllib.request.build_opener(NoRedirect)
        self.pause = 0
        self.values = 0
        # Why cases that need something can't be asked.
        self.lacks = {}

    def exchange(self, method, path, body=None, token=None):
        """Sends one request. No other function opens a connection, so nothing gets past `Ours.check`."""
        self.ours.check(method, path, body)
        self.ours.begin(method, path, body)
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=TIMEOUT) as reply:
                answer = Answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as refused:
            with refused:
                answer = Answer(refused.code, refused.headers, refused.read())
        self.ours.settle(path, body, answer)
        return answer

    def send(self, method, path, body=None, token=None):
        """The same at HubSpot's pace: waits as `Retry-After` says, and tries again what was not carried out."""
        for _ in range(TRIES):
            time.sleep(self.pause)
            answer = self.exchange(method, path, body, token)
            self.pause = pause_after(answer)
            if answer.body.get("policyName") == "DAILY":
                raise CannotRun("the account's limit of this day is used up")
            if answer.status not in (423, 429, 502, 503, 504):
                break
            # What makes records is not repeated when it may have been carried out.
            if answer.status >= 500 and path.endswith(("create", "upsert")):
                break
            wait = retry_after(answer)
            say(f"  HubSpot answers {answer.status}: on in {wait:g} s")
            time.sleep(wait)
        if answer.status in (423, 429) or answer.status >= 500:
            raise Undecided(f"HubSpot answered {answer.status}")
        return answer

    # The calls that cases are made of.

    def batch(self, operation, rows, kind="tasks", version=VERSION, **more):
        return self.send("POST", f"/crm/objects/{version}/{kind}/batch/{operation}", {"inputs": rows, **more})

    def read(self, ids, by=None, properties=(), kind="tasks"):
        more = {"properties": list(properties), "propertiesWithHistory": []}
        if by:
            more["idProperty"] = by
        return self.batch("read", [{"id": id} for id in ids], kind, **more)

    def associate(self, pairs):
        rows = [{"from": {"id": task}, "to": {"id": contact}} for task, contact in pairs]
        path = f"/crm/associations/{VERSION}/tasks/contacts/batch/associate/default"
        return self.send("POST", path, {"inputs": rows})

    def linked(self, task):
        """The answer that says which contacts a task is linked to."""
        path = f"/crm/associations/{VERSION}/tasks/contacts/batch/read"
        return self.send("POST", path, {"inputs": [{"id": task}]})

    # What cases make.

    def name(self, which):
        return f"{self.ours.prefix}_{which}"

    def value(self):
        """A value that no task has."""
        self.values += 1
        return f"live-{self.values}"

    def row(self, id, by="key", trace=None, **properties):
        """An input of an update or upsert; `by` is an own property, `None` means the record id."""
        row = {"id": id, "properties": self.named(properties)}
        if by:
            row["idProperty"] = self.name(by)
        if trace:
            row["objectWriteTraceId"] = trace
        return row

    def named(self, properties):
        """Own properties under their whole names."""
        return {self.name(name) if name in OWN_PROPERTIES else name: value for name, value in properties.items()}

    def new_task(self, **properties):
        """The values of a task that can be created."""
        return self.named({"key": self.value(), "hs_timestamp": DUE, "hs_task_subject": SUBJECT, **properties})

    def task(self, **properties):
        """Creates a task. Returns its record id."""
        answer = self.batch("create", [{"properties": self.new_task(**properties)}])
        return only_id(answer, "a task")

    def keyed_task(self):
        """Creates a task. Returns its record id and its unique value."""
        value = self.value()
        return self.task(key=value), value

    def contact(self, **properties):
        """Creates a contact. Returns its record id and its address."""
        address = self.address()
        answer = self.batch("create", [{"properties": {"email": address, **properties}}], "contacts")
        return only_id(answer, "a contact"), address

    def address(self):
        """An address that no contact has."""
        return f"{self.ours.prefix}-{self.value()}@example.com".replace("_", "-")

    def archived_task(self):
        """The record id of a task that is there no more: nobody's, and yet our own to write to."""
        task = self.task()
        self.batch("archive", [{"id": task}])
        return task

    def kept(self, task, name):
        """The value that a task has now."""
        name = next(iter(self.named({name: ""})))
        return self.read([task], properties=[name]).result(task).get("properties", {}).get(name) or ""

    def write(self, task, **properties):
        """Writes to a task. Returns the answer and, by name, what it keeps."""
        answer = self.batch("update", [self.row(task, None, **properties)])
        return answer, {name: self.kept(task, name) for name in properties}


def only_id(answer, what):
    if not answer.is_success or len(answer.results) != 1:
        raise Undecided(f"{what} could not be made: {told(answer)}")
    return answer.ids()[0]


def pause_after(answer):
    """Seconds before the next call, so that others of the account still get theirs."""
    remaining = answer.headers.get("X-HubSpot-RateLimit-Remaining", "")
    if not remaining.isdigit():
        return PAUSE
    interval = answer.headers.get("X-HubSpot-RateLimit-Interval-Milliseconds", "")
    seconds = int(interval) / 1000 if interval.isdigit() else USUAL_WAIT
    return min(seconds, LONGEST_WAIT) if int(remaining) < SPARE_CALLS else 0


def retry_after(answer):
    """Seconds to wait: `Retry-After` is a number or an HTTP date, and not promised."""
    text = answer.headers.get("Retry-After", "")
    try:
        wait = float(text)
    except ValueError:
        try:
            wait = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (TypeError, ValueError):
            wait = USUAL_WAIT
    return max(0, min(wait, LONGEST_WAIT))


# How an answer is told: in a few words that hold no ids, and nothing of anybody's data.


def told(answer):
    """Such as `207, 1 result, OBJECT_NOT_FOUND (ids: 2)` or `400 VALIDATION_ERROR, INVALID_OPTION`."""
    if answer.is_success:
        words = [str(answer.status), count(answer.results, "result")]
        words += [f"{error.get('category')}{sizes(error)}" for error in answer.errors]
    else:
        words = [f"{answer.status} {answer.body.get('category')}{sizes(answer.body)}"]
        words += sorted(set(codes_in_message(answer)) or set(codes_in_errors(answer)))
    return ", ".join(words)


def sizes(error):
    """How much an error names: ` (ids: 2)`."""
    context = error.get("context") or {}
    named = [f"{name}: {len(values) if isinstance(values, list) else values}" for name, values in sorted(context.items())]
    return f" ({', '.join(named)})" if named else ""


def count(things, noun):
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def codes_in_errors(answer):
    return [error["code"] for error in answer.errors if error.get("code")]


def named_in_message(answer):
    """The entries of the JSON list inside the message of a refused batch."""
    message = answer.body.get("message", "")
    try:
        entries = json.loads(message[message.index("[") :])
    except ValueError:
        return []
    return [entry for entry in entries if isinstance(entry, dict)]


def codes_in_message(answer):
    return [entry["error"] for entry in named_in_message(answer) if entry.get("error")]


def first_sentence(answer):
    """HubSpot's sentence about the first bad value."""
    for entry in named_in_message(answer):
        return entry.get("message", "")
    return answer.body.get("message", "")


def yes(fact):
    return "yes" if fact else "no"


# The cases. A docstring is the question, `assumes` the answer that Taskhook and its stand-in expect. Numbers stay: other
# pages name them.

CASES = []


def case(number, assumes, needs="tasks"):
    """`needs` is what has to be there: `tasks`, `contacts` (with tasks), `owners`, or nothing."""

    def add(ask):
        CASES.append((number, " ".join(ask.__doc__.split()), assumes, needs, ask))
        return ask

    return add


@case(1, "yes", "properties")
def tasks_take_unique_properties(portal):
    """Do tasks take a property with unique values, and is a task found by it?"""
    if refused := portal.lacks.get("tasks"):
        return f"no: {refused}"
    definition = portal.send("GET", f"/crm/properties/{VERSION}/tasks/{portal.name('key')}").body
    task, value = portal.keyed_task()
    found = portal.read([value], portal.name("key")).ids()
    return yes(definition.get("hasUniqueValue") and found == [task])


@case(2, "it stays as it was")
def uniqueness_is_for_ever(portal):
    """What becomes of a property whose uniqueness is set later?"""
    path = f"/crm/properties/{VERSION}/tasks/{portal.name('number')}"
    portal.send("PATCH", path, {"hasUniqueValue": True})
    unique = portal.send("GET", path).body.get("hasUniqueValue")
    return "it becomes unique" if unique else "it stays as it was"


def other_form(portal, value, other, by="key"):
    """Whether the task with one value is found by another."""
    task = portal.task(**{by: value})
    return "found" if task in portal.read([other], portal.name(by)).ids() else "not found"


@case(3, "not found")
def other_case(portal):
    """Is the task with the unique value `live-abc` found as `LIVE-ABC`?"""
    return other_form(portal, "live-abc", "LIVE-ABC")


@case(4, "not found")
def outer_space(portal):
    """Is the task with the unique value `live-space` found with a space before and after it?"""
    return other_form(portal, "live-space", " live-space ")


@case(5, "not found")
def leading_zeros(portal):
    """Is the task with the unique text `41` found as `0041`?"""
    return other_form(portal, "41", "0041")


@case(6, "not found")
def leading_zeros_of_a_number(portal):
    """Is the task with the unique number `42` found as `0042`?"""
    return other_form(portal, "42", "0042", "number_key")


@case(7, "not found")
def sharp_s(portal):
    """Is the task with the unique value `live-straße` found as `live-strasse`?"""
    return other_form(portal, "live-straße", "live-strasse")


@case(8, "not found")
def full_width(portal):
    """Is the task with the unique value `live-full` found in full-width letters, `ｌｉｖｅ-ｆｕｌｌ`?"""
    return other_form(portal, "live-full", "ｌｉｖｅ-ｆｕｌｌ")


@case(9, "207, 0 results, OBJECT_NOT_FOUND (ids: 2)")
def forms_in_one_batch(portal):
    """How does `batch/update` take two unknown ids that differ only in case?"""
    return told(portal.batch("update", [portal.row("live-x"), portal.row("LIVE-X")]))


@case(10, "400 VALIDATION_ERROR (ids: 1); nothing written")
def twice_in_an_update(portal):
    """How is the same id twice in one `batch/update` refused, each with a trace id of its own?"""
    task, value = portal.keyed_task()
    rows = [portal.row(value, trace="0", hs_task_subject="a"), portal.row(value, trace="1", hs_task_subject="b")]
    answer = portal.batch("update", rows)
    return told(answer) + untouched(portal, task)


def untouched(portal, task):
    return "; nothing written" if portal.kept(task, "hs_task_subject") == SUBJECT else "; written"


@case(11, "400 VALIDATION_ERROR (ids: 1)")
def twice_in_an_upsert(portal):
    """How is the same id twice in one `batch/upsert` refused?"""
    value = portal.value()
    return told(portal.batch("upsert", [portal.row(value, hs_timestamp=DUE), portal.row(value, hs_timestamp=DUE)]))


@case(12, "200, 2 results")
def twice_in_a_read(portal):
    """How does `batch/read` take the same id twice?"""
    _, value = portal.keyed_task()
    return told(portal.read([value, value], portal.name("key")))


@case(13, "400 VALIDATION_ERROR")
def several_id_properties(portal):
    """How does one `batch/update` take two `idProperty` names?"""
    return told(portal.batch("update", [portal.row(portal.value()), portal.row("1", "number_key")]))


@case(14, "400 VALIDATION_ERROR, names the property")
def not_unique(portal):
    """How is an `idProperty` refused whose values are not unique?"""
    answer = portal.batch("update", [portal.row("1", "number")])
    return told(answer) + (", names the property" if portal.name("number") in answer.body.get("message", "") else "")


@case(15, "400 VALIDATION_ERROR")
def record_id_as_id_property(portal):
    """How is `hs_object_id` as the `idProperty` refused?"""
    return told(portal.batch("update", [{**portal.row(portal.task(), None), "idProperty": "hs_object_id"}]))


@case(16, "400 VALIDATION_ERROR")
def too_many_inputs(portal):
    """How are 101 inputs refused?"""
    return told(portal.batch("update", [portal.row(portal.value()) for _ in range(BATCH + 1)]))


@case(17, "yes")
def echoes_id_property(portal):
    """Does a result of `batch/update` show the id property, though it was not written?"""
    task, value = portal.keyed_task()
    answer = portal.batch("update", [portal.row(value, hs_task_priority="LOW")])
    return yes(answer.result(task).get("properties", {}).get(portal.name("key")) == value)


@case(18, "yes")
def upsert_echoes_id_property(portal):
    """Does a result of `batch/upsert` show the id property?"""
    value = portal.value()
    answer = portal.batch("upsert", [portal.row(value, hs_timestamp=DUE)])
    return yes([result["properties"].get(portal.name("key")) for result in answer.results] == [value])


@case(19, "no")
def echoes_trace_ids(portal):
    """Does a result of `batch/update` carry its `objectWriteTraceId`?"""
    task, value = portal.keyed_task()
    answer = portal.batch("update", [portal.row(value, trace="0", hs_task_priority="LOW")])
    return yes(answer.result(task).get("objectWriteTraceId") == "0")


@case(20, "that of the inputs")
def order_of_results(portal):
    """In which order does `batch/update` give its results?"""
    tasks = [portal.keyed_task() for _ in range(3)]
    answer = portal.batch("update", [portal.row(value, hs_task_priority="LOW") for _, value in tasks])
    return "that of the inputs" if answer.ids() == [task for task, _ in tasks] else "another"


@case(21, "yes, that of the creation")
def created_at_of_an_update(portal):
    """Does a result of `batch/update` say `createdAt`?"""
    answer = portal.batch("create", [{"properties": portal.new_task()}])
    task = only_id(answer, "a task")
    return created_at(answer.results[0], portal.batch("update", [portal.row(task, None, hs_task_priority="LOW")]))


@case(22, "yes, that of the creation")
def created_at_of_an_upsert(portal):
    """Does a result of `batch/upsert` say `createdAt`, of a task that was there?"""
    value = portal.value()
    answer = portal.batch("create", [{"properties": portal.new_task(key=value)}])
    only_id(answer, "a task")
    return created_at(answer.results[0], portal.batch("upsert", [portal.row(value, hs_task_priority="LOW")]))


def created_at(created, answer):
    said = answer.result(str(created["id"])).get("createdAt")
    if said is None:
        return "no"
    return "yes, that of the creation" if said == created.get("createdAt") else "yes, another one"


@case(23, "true for the one that was made, false for the other")
def upsert_says_new(portal):
    """What does `new` say in the results of `batch/upsert`?"""
    task, value = portal.keyed_task()
    answer = portal.batch("upsert", [portal.row(value), portal.row(portal.value(), hs_timestamp=DUE)])
    said = {str(result["id"]) != task: result.get("new") for result in answer.results}
    return "true for the one that was made, false for the other" if said == {True: True, False: False} else str(said)


REFUSED_WHOLE = "400 VALIDATION_ERROR, INVALID_OPTION; the good row is not written"
REFUSED_ALONE = "207, 1 result, VALIDATION_ERROR (objectWriteTraceId: 1); the good row is written"


def good_and_bad(portal, operation, trace):
    """A batch of a good row and one with a wrong option, each with a trace id or without."""
    task, value = portal.keyed_task()
    good = portal.row(value, trace=trace and "0", hs_task_subject="after")
    bad = portal.row(portal.keyed_task()[1], trace=trace and "1", hs_task_priority="TOP")
    answer = portal.batch(operation, [good, bad])
    written = portal.kept(task, "hs_task_subject") == "after"
    return f"{told(answer)}; the good row is {'' if written else 'not '}written"


@case(24, REFUSED_WHOLE)
def bad_row_of_an_update(portal):
    """What does one bad row do to a `batch/update` without trace ids?"""
    return good_and_bad(portal, "update", False)


@case(25, REFUSED_WHOLE)
def traced_update(portal):
    """What does one bad row do to a `batch/update` with trace ids?"""
    return good_and_bad(portal, "update", True)


@case(26, REFUSED_WHOLE)
def bad_row_of_an_upsert(portal):
    """What does one bad row do to a `batch/upsert` without trace ids?"""
    return good_and_bad(portal, "upsert", False)


@case(27, REFUSED_ALONE)
def traced_upsert(portal):
    """What does one bad row do to a `batch/upsert` with trace ids?"""
    return good_and_bad(portal, "upsert", True)


@case(28, "207, 1 result, VALIDATION_ERROR (objectWriteTraceId: 1)")
def traced_create(portal):
    """What does one bad row do to a `batch/create` with trace ids?"""
    good = {"properties": portal.new_task(), "objectWriteTraceId": "0"}
    bad = {"properties": portal.new_task(hs_task_priority="TOP"), "objectWriteTraceId": "1"}
    return told(portal.batch("create", [good, bad]))


@case(29, "207, 1 result, OBJECT_NOT_FOUND (ids: 2); COMPLETE, numErrors 1")
def unknown_ids(portal):
    """How does `batch/update` answer two unknown unique values beside a known one?"""
    _, value = portal.keyed_task()
    rows = [portal.row(id, hs_task_priority="LOW") for id in (portal.value(), value, portal.value())]
    answer = portal.batch("update", rows)
    return f"{told(answer)}; {answer.body.get('status')}, numErrors {answer.body.get('numErrors')}"


@case(30, "207, 1 result, OBJECT_NOT_FOUND (ids: 2)")
def unknown_record_ids(portal):
    """How does `batch/update` answer the record ids of two archived tasks beside a living one?"""
    ids = (portal.archived_task(), portal.task(), portal.archived_task())
    return told(portal.batch("update", [portal.row(id, None, hs_task_priority="LOW") for id in ids]))


@case(31, "400 VALIDATION_ERROR, INVALID_OPTION")
def bad_value_of_nobody(portal):
    """How does `batch/update` answer a wrong value for an unknown id?"""
    return told(portal.batch("update", [portal.row(portal.value(), hs_task_priority="TOP")]))


@case(32, "200, 1 result, OBJECT_NOT_FOUND (ids: 1)")
def next_version(portal):
    """How does version 2026-09 of `batch/update` answer an unknown id beside a known one?"""
    _, value = portal.keyed_task()
    rows = [portal.row(id, hs_task_priority="LOW") for id in (value, portal.value())]
    return told(portal.batch("update", rows, version=NEXT_VERSION))


@case(33, "207, 1 result, OBJECT_NOT_FOUND (ids: 2)")
def unknown_ids_of_a_read(portal):
    """How does `batch/read` answer two unknown unique values beside a known one?"""
    _, value = portal.keyed_task()
    return told(portal.read([portal.value(), value, portal.value()], portal.name("key")))


@case(34, "400 VALIDATION_ERROR, CONFLICTING_UNIQUE_VALUE")
def taken_value(portal):
    """How does `batch/create` refuse a unique value that another task has?"""
    _, value = portal.keyed_task()
    return told(portal.batch("create", [{"properties": portal.new_task(key=value)}]))


@case(35, "400 VALIDATION_ERROR, CONFLICTING_UNIQUE_VALUE")
def taken_value_of_an_update(portal):
    """How does `batch/update` refuse a unique value that another task has?"""
    _, value = portal.keyed_task()
    return told(portal.write(portal.task(), key=value)[0])


@case(36, "400 VALIDATION_ERROR (properties: 1)")
def no_due_date(portal):
    """How does `batch/create` refuse a task without a due date?"""
    properties = portal.new_task()
    del properties["hs_timestamp"]
    return told(portal.batch("create", [{"properties": properties}]))


@case(37, "200, 1 result; it is cleared")
def empty_due_date(portal):
    """What does `hs_timestamp: ""` do?"""
    task = portal.task()
    answer, kept = portal.write(task, hs_timestamp="", hs_task_subject=SUBJECT)
    return f"{told(answer)}; it {'stays' if kept['hs_timestamp'] else 'is cleared'}"


@case(38, "in the message 3 of 3, in errors[] 3 of 3")
def every_bad_value(portal):
    """Of three rows with a bad value each, how many does the refusal of a batch name?"""
    rows = [
        portal.row(portal.keyed_task()[1], hs_task_priority="TOP"),
        portal.row(portal.keyed_task()[1], number="many"),
        portal.row(portal.keyed_task()[1], **{portal.name("unheard_of"): "x"}),
    ]
    answer = portal.batch("update", rows)
    return f"in the message {len(named_in_message(answer))} of 3, in errors[] {len(codes_in_errors(answer))} of 3"


@case(39, "`TOP was not one of the allowed options: [`")
def sentence_about_an_option(portal):
    """How does the sentence about a wrong option begin?"""
    answer, _ = portal.write(portal.task(), hs_task_priority="TOP")
    sentence = first_sentence(answer)
    return f"`{sentence[: sentence.find('[') + 1] or sentence[:60]}`"


@case(40, "INVALID_NUMBER, INVALID_LONG, READ_ONLY_VALUE, PROPERTY_DOESNT_EXIST")
def codes(portal):
    """Which codes have a bad number, a bad time, a property that can't be set, and one that isn't there?"""
    said = []
    for properties in (
        {"number": "many"},
        {"time": "soon"},
        {"hs_object_id": "1"},
        {portal.name("unheard_of"): "x"},
    ):
        answer, _ = portal.write(portal.task(), **properties)
        said.append(", ".join(codes_in_message(answer) or codes_in_errors(answer)) or told(answer))
    return ", ".join(said)


@case(41, "400 VALIDATION_ERROR, LEADING_TRAILING_WHITESPACE; not in errors[]")
def white_space(portal):
    """How is an option with a space behind it refused?"""
    answer, _ = portal.write(portal.task(), hs_task_priority="LOW ")
    return f"{told(answer)}; {'' if codes_in_errors(answer) else 'not '}in errors[]"


@case(42, "400 VALIDATION_ERROR, INVALID_OWNER_ID; the sentence is about the value")
def unknown_owner(portal):
    """How is the id of no owner refused?"""
    answer, _ = portal.write(portal.task(), hubspot_owner_id="999999999999999")
    about = "value" if "999999999999999" in first_sentence(answer) else "property"
    return f"{told(answer)}; the sentence is about the {about}"


@case(43, "400 VALIDATION_ERROR, INVALID_LENGTH")
def long_text(portal):
    """How is a text of 65,537 characters refused?"""
    return told(portal.write(portal.task(), hs_task_body="x" * 65_537)[0])


def form_of(written, kept):
    return "as it was written" if kept == written else f"`{kept}`"


@case(44, "as it was written")
def markup(portal):
    """How does the HTML of `hs_task_body` come back?"""
    text = '<p>Hello &amp; <strong>welcome</strong><br>to <a href="https://example.com/">us</a></p><ul><li>one</li></ul>'
    return form_of(text, portal.write(portal.task(), hs_task_body=text)[1]["hs_task_body"])


@case(45, "`2026-02-03T04:05:06.000Z`, `2026-02-03T04:05:06.000Z`")
def times(portal):
    """How do the times `2026-02-03T04:05:06Z` and `1770091506000` come back?"""
    return ", ".join(f"`{portal.write(portal.task(), time=text)[1]['time']}`" for text in (DUE, "1770091506000"))


@case(46, "`2026-02-03`, `2026-02-03`")
def dates(portal):
    """How do the dates `2026-02-03` and `1770076800000` come back?"""
    return ", ".join(f"`{portal.write(portal.task(), date=text)[1]['date']}`" for text in ("2026-02-03", "1770076800000"))


@case(47, "`007`, `1.50`")
def numbers(portal):
    """How do the numbers `007` and `1.50` come back?"""
    return ", ".join(f"`{portal.write(portal.task(), number=text)[1]['number']}`" for text in ("007", "1.50"))


@case(48, "`c;a`")
def several_checkboxes(portal):
    """How does the choice `c;a` of several checkboxes come back?"""
    return f"`{portal.write(portal.task(), boxes='c;a')[1]['boxes']}`"


@case(49, "`a;b`")
def appended_checkbox(portal):
    """What does `;b` make of the choice `a`?"""
    return f"`{portal.write(portal.task(boxes='a'), boxes=';b')[1]['boxes']}`"


@case(50, "403 MISSING_SCOPES; the good row is not written")
def sensitive_property(portal):
    """What does one row with a sensitive property do to a `batch/update` of a token without the scope for it?"""
    if not make_property(portal, "secret", "string", "text", dataSensitivity="sensitive").is_success:
        raise Skipped("this portal and token make no sensitive property")
    good, bad = portal.task(), portal.task()
    rows = [portal.row(good, None, hs_task_subject="after"), portal.row(bad, None, secret="x")]
    answer = portal.batch("update", rows)
    if answer.status == 200:
        raise Skipped("the token may write sensitive properties")
    written = portal.kept(good, "hs_task_subject") == "after"
    return f"{told(answer)}; the good row is {'' if written else 'not '}written"


@case(51, "207, 1 result, OBJECT_NOT_FOUND (ids: 2)", "contacts")
def unknown_contacts(portal):
    """How does `batch/read` of contacts by `email` answer two unknown addresses beside a known one?"""
    _, address = portal.contact()
    return told(portal.read([portal.address(), address, portal.address()], "email", kind="contacts"))


@case(52, "found, as it was written", "contacts")
def other_case_of_an_address(portal):
    """Is a contact found by its address in capitals, and how does that address come back?"""
    contact, address = portal.contact()
    result = portal.read([address.upper()], "email", ["email"], "contacts").result(contact)
    if not result:
        return "not found"
    return "found, " + form_of(address, result["properties"]["email"])


@case(53, "found, with the first address", "contacts")
def additional_address(portal):
    """Is a contact found by an additional address, and which one does the result show?"""
    other = portal.address()
    contact, address = portal.contact(hs_additional_emails=other)
    result = portal.read([other], "email", ["email"], "contacts").result(contact)
    if not result:
        return "not found"
    return f"found, with the {'first' if result['properties']['email'] == address else 'other'} address"


@case(54, "409 CONFLICT", "contacts")
def taken_address(portal):
    """How does `batch/create` refuse a contact whose address another one has?"""
    _, address = portal.contact()
    return told(portal.batch("create", [{"properties": {"email": address}}], "contacts"))


@case(55, "200, 2 results, types 203 and 204; linked", "contacts")
def both_directions(portal):
    """What does `associate/default` say of a task and a contact that it links?"""
    task, (contact, _) = portal.task(), portal.contact()
    answer = portal.associate([(task, contact)])
    types = sorted(str(result.get("associationSpec", {}).get("associationTypeId")) for result in answer.results)
    return f"{told(answer)}, types {' and '.join(types)}{is_linked(portal, task, contact)}"


def is_linked(portal, task, contact):
    ids = []
    for result in portal.linked(task).results:
        ids += [str(to["toObjectId"]) for to in result["to"]]
    return "; linked" if contact in ids else "; not linked"


@case(56, "200, 2 results", "contacts")
def linked_again(portal):
    """What does `associate/default` say of two records that are linked already?"""
    task, (contact, _) = portal.task(), portal.contact()
    portal.associate([(task, contact)])
    return told(portal.associate([(task, contact)]))


NO_SUCH_END = "207, 2 results, OBJECT_NOT_FOUND (fromObjectId: 1, fromObjectType: 1, toObjectId: 1, toObjectType: 1); linked"


@case(57, NO_SUCH_END, "contacts")
def unknown_task_to_link(portal):
    """How does `associate/default` answer a task that isn't there, beside a good pair?"""
    task, (contact, _) = portal.task(), portal.contact()
    answer = portal.associate([(portal.archived_task(), contact), (task, contact)])
    return told(answer) + is_linked(portal, task, contact)


@case(58, NO_SUCH_END, "contacts")
def unknown_contact_to_link(portal):
    """How does `associate/default` answer a contact that isn't there, beside a good pair?"""
    task, (contact, _), (gone, _) = portal.task(), portal.contact(), portal.contact()
    portal.batch("archive", [{"id": gone}], "contacts")
    answer = portal.associate([(task, gone), (task, contact)])
    return told(answer) + is_linked(portal, task, contact)


@case(59, "400 VALIDATION_ERROR (ids: 1); not linked", "contacts")
def pair_twice(portal):
    """How does `associate/default` refuse the same pair twice?"""
    task, (contact, _) = portal.task(), portal.contact()
    answer = portal.associate([(task, contact), (task, contact)])
    return told(answer) + is_linked(portal, task, contact)


@case(60, "207, 0 results, OBJECT_NOT_FOUND (fromObjectId: 1, fromObjectType: 1, toObjectType: 1)")
def no_links(portal):
    """How does `batch/read` of associations answer a task with none?"""
    return told(portal.linked(portal.task()))


@case(61, "not found", "owners")
def other_case_of_an_owner(portal):
    """Is an owner found by the address in capitals?"""
    for owner in portal.send("GET", f"/crm/owners/{VERSION}?limit=100").results:
        # One that differs in capitals.
        if (address := owner.get("email") or "") != address.upper():
            answer = portal.send("GET", f"/crm/owners/{VERSION}?email={urllib.parse.quote(address.upper())}")
            return "found" if str(owner["id"]) in answer.ids() else "not found"
    raise Skipped("no owner of this portal has an e-mail address")


@case(62, "Max, Remaining, Interval-Milliseconds, Daily, Daily-Remaining")
def limit_headers(portal):
    """Which `X-HubSpot-RateLimit-` headers does an answer carry?"""
    headers = portal.read(["live"], portal.name("key")).headers
    names = ("Max", "Remaining", "Interval-Milliseconds", "Daily", "Daily-Remaining")
    return ", ".join(name for name in names if f"X-HubSpot-RateLimit-{name}" in headers) or "none"


@case(63, "429 SECONDLY, errorType RATE_LIMIT, no category, no Retry-After", "reading")
def limit_of_searches(portal):
    """What does the 429 of too many searches in a second say?"""
    path, body = f"/crm/objects/{VERSION}/tasks/search", {"filterGroups": [], "limit": 1, "properties": []}
    with ThreadPoolExecutor(MOST_SEARCHES // 2) as pool:
        searches = [pool.submit(portal.exchange, "POST", path, body) for _ in range(MOST_SEARCHES)]
        answers = [search.result() for search in searches]
    for answer in answers:
        if answer.status == 429:
            said = answer.body
            category = f"category {said['category']}" if "category" in said else "no category"
            wait = "Retry-After" if "Retry-After" in answer.headers else "no Retry-After"
            return f"429 {said.get('policyName')}, errorType {said.get('errorType')}, {category}, {wait}"
    raise Skipped(f"HubSpot let {MOST_SEARCHES} searches through")


@case(64, "401 INVALID_AUTHENTICATION", None)
def wrong_token(portal):
    """How is a token refused that has the form of one?"""
    return refused_token(portal, "pat-na1-00000000-0000-0000-0000-000000000000")


@case(65, "401 EXPIRED_AUTHENTICATION", None)
def malformed_token(portal):
    """How is a token refused that is no token at all?"""
    return refused_token(portal, "taskhook")


def refused_token(portal, token):
    answer = portal.send("GET", f"/crm/objects/{VERSION}/tasks?limit=1", token=token)
    return f"{answer.status} {answer.body.get('category')}"


# The run.

# By the short names that cases use: type, field, and what else the definition says.
OWN_PROPERTIES = {
    "key": ("string", "text", {"hasUniqueValue": True}),
    "number_key": ("number", "number", {"hasUniqueValue": True}),
    "number": ("number", "number", {}),
    "time": ("datetime", "date", {}),
    "date": ("date", "date", {}),
    "boxes": ("enumeration", "checkbox", {"options": [{"label": value, "value": value} for value in "abc"]}),
    # Made by its case.
    "secret": None,
}

# What a call with each scope would be that does nothing: it reads one record, or writes a batch of none.
SCOPES = {
    "crm.objects.contacts.read": ("GET", f"/crm/objects/{VERSION}/tasks?limit=1", None),
    "crm.objects.contacts.write": ("POST", f"/crm/objects/{VERSION}/tasks/batch/create", {"inputs": []}),
    "crm.schemas.contacts.write": ("POST", f"/crm/properties/{VERSION}/tasks/batch/create", {"inputs": []}),
    "crm.objects.owners.read": ("GET", f"/crm/owners/{VERSION}?limit=1", None),
}
READ, WRITE, SCHEMAS, OWNERS = SCOPES
NEEDS = {
    "reading": {READ},
    "properties": {READ, WRITE, SCHEMAS},
    "tasks": {READ, WRITE, SCHEMAS},
    "contacts": {READ, WRITE, SCHEMAS},
    "owners": {OWNERS},
}


def check_scopes(portal):
    """Notes which cases can't be asked for lack of a scope."""
    lacking = set()
    for scope, call in SCOPES.items():
        answer = portal.send(*call)
        if answer.status == 401:
            raise CannotRun(f"HubSpot refuses the token: {answer.body.get('category')}")
        if answer.status == 403:
            lacking.add(scope)
    for need, scopes in NEEDS.items():
        if missing := sorted(scopes & lacking):
            portal.lacks[need] = f"the token lacks {', '.join(missing)}"
    for need, why in portal.lacks.items():
        numbers = [f"L{number}" for number, _, _, needs, _ in CASES if needs == need]
        say(f"Skipped, as {why}: {', '.join(numbers)}")


def make_properties(portal):
    """Makes the properties that cases use."""
    for name, definition in OWN_PROPERTIES.items():
        if definition is None:
            continue
        kind, field, more = definition
        answer = make_property(portal, name, kind, field, **more)
        if not answer.is_success:
            why = f"the property {name} is refused: {told(answer)}"
            portal.lacks.setdefault("tasks", why)
            portal.lacks.setdefault("contacts", why)
            return
    # HubSpot may take a moment to know a new property everywhere.
    for _ in range(TRIES):
        if portal.read(["live"], portal.name("key")).is_success:
            return
        time.sleep(2)


def make_property(portal, name, kind, field, **more):
    name = portal.name(name)
    shown = portal.send("GET", f"/crm/properties/{VERSION}/tasks/hs_task_subject").body
    definition = {"name": name, "label": name, "type": kind, "fieldType": field, **more}
    definition["groupName"] = shown.get("groupName", "task")
    return portal.send("POST", f"/crm/properties/{VERSION}/tasks", definition)


def ask(portal, rows):
    """Asks every case, and adds a row of the table for each."""
    for number, question, assumes, needs, function in CASES:
        try:
            if needs in portal.lacks:
                raise Skipped(portal.lacks[needs])
            did = function(portal)
            end = "same" if did == assumes else "**different**"
        except Skipped as why:
            did, end = str(why), "skipped"
        except (CannotRun, NotOurs):
            raise
        except Exception as problem:
            did, end = f"{type(problem).__name__}: {problem}", "undecided"
        say(f"L{number:<3} {end.strip('*'):<10} {question}")
        rows.append((f"L{number}", question, assumes, did, end))


def remove_everything(portal):
    """Archives what this run made. Returns what is left."""
    left = []
    for kind, body in list(portal.ours.unsettled):
        find_unsettled(portal, kind, body)
    for kind, ids in portal.ours.records.items():
        for part in parts(sorted(ids)):
            portal.batch("archive", [{"id": id} for id in part], kind)
            left += [f"{kind} {id}" for id in portal.read(part, kind=kind).ids()]
    for name in sorted(portal.ours.properties):
        answer = portal.send("DELETE", f"/crm/properties/{VERSION}/tasks/{name}")
        if not answer.is_success and answer.status != 404:
            left.append(f"property {name} ({told(answer)})")
    return left


def find_unsettled(portal, kind, body):
    """Finds the records of a request whose answer never came: each has a value that is nobody else's."""
    by = "email" if kind == "contacts" else portal.name("key")
    for row in body["inputs"]:
        property, value = (row["idProperty"], row["id"]) if "id" in row else (by, row["properties"].get(by))
        if value:
            portal.ours.records[kind].update(portal.read([value], property, kind=kind).ids())


def parts(ids):
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


def table(url, rows):
    """The rows as Markdown."""
    day = datetime.datetime.now(datetime.timezone.utc).date()
    lines = [f"Asked on {day} of {urllib.parse.urlsplit(url).hostname}, version {VERSION}:", ""]
    lines += ["| | question | assumed | this portal | |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        cells = [str(cell).replace("|", "\\|").replace("\n", " ") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def say(text):
    print(text, file=sys.stderr, flush=True)


def interrupt(*_):
    raise KeyboardInterrupt


def run(url, token):
    """Asks, and cleans up whatever happens. Returns the exit code."""
    portal = Portal(url, token)
    rows, left, code = [], [], 0
    try:
        check_scopes(portal)
        if "properties" not in portal.lacks:
            make_properties(portal)
        ask(portal, rows)
    except KeyboardInterrupt:
        say("Stopped.")
        code = 2
    except (CannotRun, NotOurs, Undecided, OSError, http.client.HTTPException) as problem:
        say(f"error: {type(problem).__name__}: {problem}")
        code = 2
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        say(f"Removing what {portal.ours.prefix} made")
        try:
            left = remove_everything(portal)
        except Exception as problem:
            left = [f"all of {portal.ours.prefix} ({type(problem).__name__}: {problem})"]
    for what in left:
        say(f"error: not removed: {what}")
    if rows:
        print(table(url, rows).replace(token, "[token]"))
    ends = [end for *_, end in rows]
    say(f"{ends.count('same')} same, {ends.count('**different**')} different, "
        f"{ends.count('undecided')} undecided, {ends.count('skipped')} skipped")
    if "**different**" in ends and not left:
        return 1
    return 2 if left or code or "undecided" in ends or "same" not in ends else 0


def main():
    token = os.environ.get("HUBSPOT_TOKEN", "").strip()
    url = os.environ.get("HUBSPOT_BASE_URL", "").strip() or HUBSPOT
    if not token:
        say("error: set HUBSPOT_TOKEN to the token of a HubSpot test account (docs/live.md)")
        return 2
    parsed = urllib.parse.urlsplit(url)
    if parsed.scheme != "https" and parsed.hostname not in ("127.0.0.1", "localhost"):
        say("error: HUBSPOT_BASE_URL has to begin with https://, because the token goes there")
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    return run(url, token)


if __name__ == "__main__":
    sys.exit(main())
