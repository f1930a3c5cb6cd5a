"""A Secrets Manager for the tests: moto, on a free port, for as long as standard input is open.

Prints one JSON line: the port, and with --denied the credentials of a user who may do nothing.
"""

import json
import os
import sys
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
_, port = server.get_host_and_port()
ready = {"port": port}
if "--denied" in sys.argv:
    url = f"http://127.0.0.1:{port}"
    root = dict(endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="a")
    boto3.client("secretsmanager", **root).create_secret(Name="there", SecretString="value")
    iam = boto3.client("iam", **root)
    iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]
    ready.update(access_key_id=key["AccessKeyId"], secret_access_key=key["SecretAccessKey"])
    # From the next call on, moto asks whether it is allowed.
    headers = {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset-auth", b"0", headers, method="POST"))
print(json.dumps(ready), flush=True)
sys.stdin.read()
os._exit(0)
