"""GitHub issues -> HubSpot tasks: a Lambda function behind a Function URL, with boto3 and HubSpot's own client."""

import base64
import hashlib
import hmac
import json
import logging
import os
from urllib.parse import parse_qs

import hubspot
from botocore.exceptions import BotoCoreError, ClientError
from hubspot.crm.objects.tasks import ApiException
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

import mapping
from secret_cache import SecretCache

log = logging.getLogger("peer")
log.setLevel(logging.INFO)

TIMEOUT = (1, 4)  # seconds to connect to HubSpot and to read its answer
RETRIES = Retry(
    total=2, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None, backoff_factor=0.2, raise_on_status=False
)
GITHUB_SECRET = "taskhook/github"
TOKEN_SECRET = os.environ["HUBSPOT_TOKEN_SECRET"]
ID_PROPERTY = "github_issue"
UPDATED_AT_PROPERTY = "github_updated_at"

secrets = SecretCache(GITHUB_SECRET, TOKEN_SECRET)
hubspot_tasks = None
token_in_use = None


def tasks():
    """HubSpot's API of tasks with the current token. It is kept, as it holds the connections."""
    global hubspot_tasks, token_in_use
    token = secrets.get(TOKEN_SECRET)
    if token != token_in_use:
        options = {"host": os.environ["HUBSPOT_BASE_URL"]} if "HUBSPOT_BASE_URL" in os.environ else {}
        client = hubspot.Client.create(access_token=token, retry=RETRIES, **options)
        hubspot_tasks, token_in_use = client.crm.objects.tasks.batch_api, token
    return hubspot_tasks


try:
    # While Lambda gives the start a whole processor.
    tasks()
except (BotoCoreError, ClientError, KeyError):
    log.exception("cannot get the secrets yet")


def handle(event, _context):
    body = event.get("body") or ""
    body = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    try:
        if not is_signed(body, event["headers"].get("x-hub-signature-256", "")):
            return answer(401, {"title": "the signature is missing or wrong"})
        delivery = event["headers"].get("x-github-delivery")
        try:
            payload = parse(body)
        except (ValueError, KeyError):
            return answer(400, {"title": "the body cannot be read"})
        return answer(200, summary(delivery, follow(payload)))
    except ApiException as error:
        log.error("HubSpot answered %s: %s", error.status, error.body)
        return answer(503, {"title": "HubSpot refuses for now"}, retry=True)
    except (HTTPError, BotoCoreError, ClientError, KeyError):
        log.exception("HubSpot or Secrets Manager cannot be reached")
        return answer(503, {"title": "a service cannot be reached"}, retry=True)


def is_signed(body, signature):
    def is_right(secret):
        expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.encode())

    if is_right(secrets.get(GITHUB_SECRET)):
        return True
    rotated = secrets.refresh(GITHUB_SECRET)
    return rotated is not None and is_right(rotated)


def parse(body):
    """The payload of a body of JSON, or of a form as GitHub sends it."""
    text = body.decode()
    if text.startswith("payload="):
        text = parse_qs(text, strict_parsing=True)["payload"][0]
    payload = json.loads(text)
    if not isinstance(payload, dict):
        raise ValueError("no object")
    return payload


def follow(payload):
    """Updates the issue's task. Returns what became of it, None if the event is about something else."""
    if not mapping.is_about_an_issue(payload):
        return None
    try:
        task, values = mapping.task_id(payload), mapping.properties(payload)
        time = mapping.utc(payload["issue"]["updated_at"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        log.error("the event cannot be mapped: %r", error)
        return {"outcome": "failed", "reason": "mapping"}
    try:
        outcome = write(task, values | {UPDATED_AT_PROPERTY: time})
    except ApiException as error:
        if error.status == 401 and secrets.refresh(TOKEN_SECRET):
            outcome = write(task, values | {UPDATED_AT_PROPERTY: time})
        elif error.status in (400, 409):
            log.error("HubSpot refuses %s: %s", task, error.body)
            outcome = {"outcome": "failed", "reason": "rejected"}
        else:
            raise
    return {"id": task, "idProperty": ID_PROPERTY} | outcome


def write(task, values):
    names = [ID_PROPERTY, *values]
    asked = {"inputs": [{"id": task}], "idProperty": ID_PROPERTY, "properties": names, "propertiesWithHistory": []}
    found = tasks().read(asked, _request_timeout=TIMEOUT).results
    if not found:
        return {"outcome": "failed", "reason": "not_found"}
    record = found[0]
    seen = record.properties.get(UPDATED_AT_PROPERTY)
    if seen and mapping.utc(seen) > values[UPDATED_AT_PROPERTY]:
        return {"outcome": "stale"}
    if all((record.properties.get(name) or "") == value for name, value in values.items()):
        return {"outcome": "unchanged"}
    written = tasks().update({"inputs": [{"id": record.id, "properties": values}]}, _request_timeout=TIMEOUT)
    if not any(result.id == record.id for result in written.results):
        log.error("HubSpot did not update %s: %s", task, getattr(written, "errors", None))
        return {"outcome": "failed", "reason": "rejected"}
    return {"outcome": "updated", "recordId": record.id}


def summary(delivery, row):
    outcome = row["outcome"] if row else "filtered"
    counts = {name: int(name == outcome) for name in ("updated", "unchanged", "stale", "filtered", "failed")}
    result = {"source": "github", "event": delivery, "received": 1} | counts | {"tasks": [row] if row else []}
    log.info(json.dumps(result))
    return result


def answer(status, body, retry=False):
    headers = {"content-type": "application/json"} | ({"retry-after": "10"} if retry else {})
    return {"statusCode": status, "headers": headers, "body": json.dumps(body, separators=(",", ":"))}
