"""Runs the functions on this machine: `make demo` and `make dev`.

Starts moto for AWS, `taskhook sim` for HubSpot, `cargo lambda watch` for Lambda, and poller.py for Lambda's event source
mapping. What a person sees then comes from `taskhook demo`. Everything that is started here is stopped here, whatever
happens; the logs stay in .local/.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from processes import LOCAL, ROOT, SIGNALS, Interrupted, Processes, Trouble, interrupt
from standins import EVENTS, MODES, REGION, CREDENTIALS, TASKHOOK, TOOLS, start, start_functions

NEXT = """
What to do next
  make dev                          leaves it running, and prints commands to try
  sources/tickets.toml              is the file to copy for a system of your own
  cargo run -q explain github events/github/closed.json    shows how a payload is read
  README.md                         goes on with "Your own system in ten minutes"
"""


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
        print(f"\nerror: {trouble}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("\nStopped.")
        if options.command == "dev" and interrupted.number == signal.SIGINT:
            return 0
        return 128 + interrupted.number


def parse_options():
    parser = argparse.ArgumentParser(description="Runs the functions here, with stand-ins for AWS and HubSpot.")
    parser.add_argument("command", choices=["demo", "dev"], help="demo: send events; dev: stay up")
    parser.add_argument("--mode", choices=MODES, help="default: both for demo, direct for dev")
    for name, of in {"invoke": "the functions", "hubspot": "the HubSpot stand-in", "aws": "moto"}.items():
        variable = f"{name.upper()}_PORT"
        text = f"port of {of}; also by the variable {variable}; default: a free one"
        parser.add_argument(f"--{name}-port", type=int, metavar="PORT", default=os.environ.get(variable), help=text)
    return parser.parse_args()


def check_tools():
    """Everything that is needed and not there, at once."""
    needed = {
        TOOLS / "moto_server": "run `make .venv/.demo`",
        TOOLS / "cargo-lambda": "run `make .venv/.demo`",
        TASKHOOK: "run `make build`",
        EVENTS / "secrets.json": "it belongs to the repository",
        EVENTS / "portal.json": "it belongs to the repository",
    }
    missing = [f"{path} is missing: {cure}" for path, cure in needed.items() if not path.exists()]
    if not shutil.which("cargo"):
        missing.append("cargo is missing: install Rust from https://rustup.rs")
    if missing:
        raise Trouble("\n       ".join(missing))


def demo(setup, modes, processes):
    """Tells the story of each mode."""
    results = []
    for mode in modes:
        started = start_functions(setup, mode, processes, watches_changes=False)
        results.append(show(setup, mode, started, "samples" if mode == "direct" else "outage"))
        processes.stop(*started)
    print(NEXT)
    return max(results)


def dev(setup, mode, processes):
    """Says what can be done, and stays until it is told to stop."""
    started = start_functions(setup, mode, processes, watches_changes=True)
    show(setup, mode, started, "guide")
    print("\nCtrl-C stops everything.", flush=True)
    while True:
        processes.check()
        time.sleep(0.5)


def show(setup, mode, started, scene):
    """Lets `taskhook demo` show a scene. Returns its exit code."""
    stage = LOCAL / "stage.json"
    logs = [os.path.relpath(process.log, ROOT) for process in started]
    stage.write_text(json.dumps(setup.stage() | {"mode": mode, "logs": logs}), "utf-8")
    env = os.environ | CREDENTIALS | {"AWS_REGION": REGION, "AWS_ENDPOINT_URL_SQS": setup.aws}
    sys.stdout.flush()
    return subprocess.run([TASKHOOK, "demo", "--stage", stage, scene], cwd=ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
