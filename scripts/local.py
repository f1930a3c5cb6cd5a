"""Runs the function on this machine: `make demo` and `make dev`.

`make demo` tells two stories: every sample event in the direct mode, and an outage of HubSpot in the durable mode
(outage.py). `make dev` leaves one of the modes running. Everything that is started here is stopped here, whatever
happens; the logs stay in .local/.
"""

import argparse
import base64
import json
import os
import re
import shlex
import shutil
import signal
import sys
import time

import outage
import samples
from processes import LOCAL, ROOT, SIGNALS, Interrupted, Processes, interrupt
from standins import CREDENTIALS, EVENTS, MODES, REGION, TASKHOOK, TOOLS, start, start_functions
from terminal import Trouble, bold, red


def main():
    options = parse_options()
    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        check_tools()
        with Processes() as processes:
            setup = start(options, processes)
            if options.command == "demo":
                return demo(setup, [options.mode] if options.mode else MODES, processes)
            dev(setup, options.mode or "direct", processes)
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
    parser.add_argument("command", choices=["demo", "dev"], help="demo: send events; dev: stay up")
    parser.add_argument("--mode", choices=MODES, help="default: both for demo, direct for dev")
    ports = {"invoke": "the functions", "hubspot": "the HubSpot stand-in", "aws": "Secrets Manager and SQS"}
    for name, of in ports.items():
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


# Demo


def demo(setup, modes, processes):
    """Tells the story of each mode."""
    wrong = []
    for mode in modes:
        print()
        started = start_functions(setup, mode, processes, watches_changes=False)
        wrong += samples.tell(setup) if mode == "direct" else outage.tell(setup, processes)
        processes.stop(*started)
    if wrong:
        print(f"\n{red('Not as expected:')}\n  " + "\n  ".join(wrong), file=sys.stderr)
        return 1
    return 0


# Dev


def dev(setup, mode, processes):
    """Says what can be done, and stays until it is told to stop."""
    started = start_functions(setup, mode, processes, watches_changes=True)
    logs = " ".join(os.path.relpath(process.log, ROOT) for process in started)
    case = next(case for case in samples.cases() if case.expected.get("updates"))
    print(f"""
{ABOUT_MODE[mode]}
Sample events were signed some time ago: the function reads .local/sources, copies of sources/ and
sources/available/ that let any age pass. After a change in sources/, start `make dev` again.
The logs are in .local/: tail -f {logs}

{bold("A sample event")} (or with `cargo lambda invoke`, where cargo-lambda is installed)
  {shlex.join(setup.invoke_command(case.path))}

{bold("The same as the sender does it")}
  {curl(case, setup)}

{bold("What HubSpot has, and what it was asked")}
  curl -s {setup.hubspot}/_sim/tasks
  curl -s {setup.hubspot}/_sim/calls

{bold("HubSpot is down, and back")}
  curl -s {setup.hubspot}/_sim/faults -d '{{"status": 503, "forever": true}}'
  curl -s {setup.hubspot}/_sim/faults -X DELETE
""", flush=True)
    if mode == "durable":
        print(f"""{bold("The queue")}: how many updates wait (ApproximateNumberOfMessages), are under way (...NotVisible)
  {curl_sqs(setup, "GetQueueAttributes", dict(QueueUrl=setup.updates, AttributeNames=["All"]))}

{bold("Dead letters")}: events/tickets/unknown-task.json makes one. Without --dry-run they are sent through again
  {replay(setup)}
""", flush=True)
    print("Ctrl-C stops everything.", flush=True)
    while True:
        processes.check()
        time.sleep(0.5)


ABOUT_MODE = {
    "direct": "Direct mode: the function updates HubSpot itself. `make dev MODE=durable` puts a queue in between.",
    "durable": "Durable mode: `webhook` queues updates and answers 202; the poller takes them to `worker`.",
}


def curl_sqs(setup, action, request):
    """A curl command for moto's SQS."""
    headers = {"X-Amz-Target": f"AmazonSQS.{action}", "Content-Type": "application/x-amz-json-1.0"}
    user = ":".join(CREDENTIALS.values())
    parts = [f"curl -s {setup.aws} --aws-sigv4 aws:amz:{REGION}:sqs --user {user}"]
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    parts += [f"-d {shlex.quote(json.dumps(request))}"]
    return " \\\n    ".join(parts)


def replay(setup):
    """A command that lists dead letters."""
    secrets = json.loads((EVENTS / "secrets.json").read_text("utf-8"))
    env = CREDENTIALS | {
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_SQS": setup.aws,
        "HUBSPOT_BASE_URL": setup.hubspot,
        "HUBSPOT_TOKEN": secrets["taskhook/hubspot"],
        "TASKHOOK_SOURCES": os.path.relpath(setup.sources, ROOT),
    }
    command = [os.path.relpath(TASKHOOK, ROOT), "replay", "--queue", setup.dead_letters, "--dry-run"]
    parts = [f"{name}={shlex.quote(value)}" for name, value in env.items()]
    return " \\\n    ".join([" ".join(parts[:4]), " ".join(parts[4:]), shlex.join(command)])


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
