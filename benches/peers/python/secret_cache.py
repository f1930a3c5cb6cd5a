"""Secrets of Secrets Manager, fetched together and kept for five minutes."""

import logging
import os
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

log = logging.getLogger("peer")

LIFETIME = 300  # seconds
# A secret that was refused is looked for again at once, but not with every forged delivery.
PAUSE = 10  # seconds


class SecretCache:
    """The secrets with these names."""

    def __init__(self, *names):
        config = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3})
        self._client = boto3.client("secretsmanager", region_name=os.environ["AWS_REGION"], config=config)
        self._names = list(names)
        self._values = {}
        self._fetched = None

    def get(self, name):
        """The secret's value; raises BotoCoreError, ClientError or KeyError if there is none."""
        if self._fetched is None or time.monotonic() - self._fetched > LIFETIME:
            try:
                self._fetch()
            except (BotoCoreError, ClientError):
                # What was right five minutes ago most likely still is.
                if name not in self._values:
                    raise
                log.exception("cannot refresh the secrets")
        return self._values[name]

    def refresh(self, name):
        """A newer value of a secret that was refused, as it may have been rotated; None if there is none."""
        if time.monotonic() - self._fetched < PAUSE:
            return None
        before = self._values.get(name)
        self._fetch()
        return self._values[name] if self._values[name] != before else None

    def _fetch(self):
        answer = self._client.batch_get_secret_value(SecretIdList=self._names)
        for error in answer.get("Errors", []):
            log.error("cannot get the secret %s: %s", error["SecretId"], error["ErrorCode"])
        for secret in answer["SecretValues"]:
            self._values[secret["Name"]] = secret["SecretString"]
        self._fetched = time.monotonic()
