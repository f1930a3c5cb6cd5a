"""A second SQS for the tests: ministack, on a free port, for as long as standard input is open. Prints its port."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
# Keys of the account's root, and nothing but what is needed.
settings = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "SERVICES": "sqs"}
settings |= {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "LOG_LEVEL": "ERROR", "MINISTACK_REGION": "us-east-1"}
program = os.path.join(os.path.dirname(sys.executable), "ministack")
process = subprocess.Popen([program], env=os.environ | settings, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
try:
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health")
            break
        except OSError:
            assert process.poll() is None, "ministack ended"
            time.sleep(0.05)
    print(f'{{"port": {port}}}', flush=True)
    sys.stdin.read()
finally:
    process.kill()
