"""Runs the functions on this machine: `make demo` and `make dev`.

Starts moto for AWS, `taskhook sim` for HubSpot, `cargo lambda watch` for Lambda, and poller.py for Lambda's event source
mapping. What a person sees then comes from `taskhook demo`. Everything that is started here is stopped here, whatever
happens; the logs stay in .local/.
"""

import argparse
import http.client
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

from processes import LOCAL, ROOT, Interrupted, Processes, Trouble, last_lines, log_lines

# direct: `webhook` calls HubSpot itself. durable: it queues the updates, and `worker` calls HubSpot.
MODES = ("direct", "durable")
TOOLS = Path(sys.executable).parent
TASKHOOK = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "taskhook"
HOST = "127.0.0.1"
# The usual port of `cargo lambda watch`.
LAMBDA_PORT = 9000
WEBHOOK = "/lambda-url/webhook"
WORKER = "/2015-03-31/functions/worker/invocations"


def main():
    parser = argparse.ArgumentParser(description="Runs the functions here, with stand-ins for AWS and HubSpot.")
    parser.add_argument("command", choices=["demo", "dev"], help="demo: send events; dev: stay up")
    parser.add_argument("--mode", choices=MODES, help="default: both for demo, direct for dev")
    options = parser.parse_args()
    try:
        with Processes() as processes:
            if options.command == "demo":
                return demo([options.mode] if options.mode else MODES, processes)
            dev(options.mode or "direct", processes)
    except Trouble as trouble:
        print(f"\nerror: {trouble}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("\nStopped.")
        if options.command == "dev" and interrupted.number == signal.SIGINT:
            return 0
        return 128 + interrupted.number


def demo(modes, processes):
    """Tells the story of each mode."""
    stage = start_stand_ins(processes)
    results = []
    for mode in modes:
        started = start_functions(stage, mode, processes)
        results.append(show("life", stage, processes))
        results.append(show("samples" if mode == "direct" else "outage", stage, processes))
        processes.stop(*started)
    show("next", stage, processes)
    return max(results)


def dev(mode, processes):
    """Says what can be done, and stays until it is told to stop."""
    stage = start_stand_ins(processes)
    start_functions(stage, mode, processes, watches_changes=True)
    show("guide", stage, processes)
    while True:
        processes.check()
        time.sleep(0.5)


def show(scene, stage, processes):
    """Lets `taskhook demo` play a scene. Returns its exit code."""
    file = LOCAL / "stage.json"
    file.write_text(json.dumps(stage), "utf-8")
    return processes.run([TASKHOOK, "demo", "--stage", file, scene])


def start_stand_ins(processes):
    """Starts what stands in for AWS and HubSpot. Returns the stage: what `taskhook demo` has to know."""
    LOCAL.mkdir(exist_ok=True)
    aws, hubspot, port = free_port(), free_port(), free_port(LAMBDA_PORT)
    processes.start("aws", [TOOLS / "moto_server", "-H", HOST, "-p", aws])
    processes.start("hubspot", [TASKHOOK, "sim", "--port", hubspot, "--seed", ROOT / "events/portal.json"])
    processes.wait("AWS (moto)", lambda: listens(aws))
    processes.wait("HubSpot stand-in", lambda: listens(hubspot))
    queues = f"http://{HOST}:{aws}/123456789012"
    cargo_lambda = os.path.relpath(TOOLS / "cargo-lambda", ROOT)
    stage = {
        "mode": "direct",
        "logs": [],
        "invoke": f"{cargo_lambda} lambda invoke webhook --invoke-address {HOST} --invoke-port {port}".split(),
        "lambda_port": port,
        "function_url": f"http://{HOST}:{port}{WEBHOOK}",
        "hubspot": f"http://{HOST}:{hubspot}",
        "aws": f"http://{HOST}:{aws}",
        "updates": f"{queues}/taskhook-updates.fifo",
        "dead_letters": f"{queues}/taskhook-dead-letters.fifo",
        "sources": os.path.relpath(LOCAL / "sources", ROOT),
    }
    if show("set-up", stage, processes):
        raise Trouble("the stand-ins can't be set up")
    return stage


def start_functions(stage, mode, processes, watches_changes=False):
    """Starts what a mode needs of the functions, and waits until it answers. Returns the processes."""
    port = stage["lambda_port"]
    watch = [TOOLS / "cargo-lambda", "lambda", "watch", "--invoke-address", HOST, "--invoke-port", port]
    env = functions_env(stage, mode)
    options = [] if watches_changes else ["--ignore-changes"]
    functions = processes.start(f"functions-{mode}", watch + options, env)
    processes.wait("Functions (cargo lambda)", lambda: listens(port))
    call(functions, port, processes, "GET", f"{WEBHOOK}/health")
    started = [functions]
    if mode == "durable":
        call(functions, port, processes, "POST", WORKER, json.dumps({"Records": []}))
        poller = [sys.executable, ROOT / "scripts/poller.py", stage["updates"], f"http://{HOST}:{port}{WORKER}"]
        started.append(processes.start("poller", poller, env))
    stage |= {"mode": mode, "logs": [os.path.relpath(process.log, ROOT) for process in started]}
    return started


def functions_env(stage, mode):
    """The environment of the functions: nothing of the person's own AWS or HubSpot settings gets in. With our PATH,
    because another one would make cargo build anew."""
    ours = ("AWS_", "HUBSPOT_", "TASKHOOK_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # What talks to a local server must not go through a proxy.
    env |= {"NO_PROXY": HOST, "no_proxy": HOST}
    env |= {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": stage["aws"],
        "HUBSPOT_TOKEN_SECRET": "taskhook/hubspot",
        "HUBSPOT_BASE_URL": stage["hubspot"],
        "TASKHOOK_SOURCES": str(ROOT / stage["sources"]),
    }
    if mode == "durable":
        env |= {"TASKHOOK_QUEUE_URL": stage["updates"], "TASKHOOK_DEAD_LETTER_URL": stage["dead_letters"]}
    return env


def call(functions, port, processes, method, path, body=None):
    """Waits for an answer. The first one may take minutes, because `cargo lambda watch` compiles the function."""
    name = "worker" if path == WORKER else "webhook"
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    connection.request(method, path, body)

    def has_answered():
        if any("command exited code=" in line for line in log_lines(functions.log)):
            raise Trouble(f"the function {name} doesn't start{last_lines(functions.log, 30)}")
        return select.select([connection.sock], [], [], 0)[0]

    def doing():
        return next((line.strip() for line in reversed(log_lines(functions.log)) if "Compiling" in line), "")

    processes.wait(f"Function {name}", has_answered, 900, doing)
    answer = connection.getresponse()
    if answer.status != 200:
        text = answer.read().decode(errors="replace")
        raise Trouble(f"the function {name} answers {answer.status}: {text}{last_lines(functions.log)}")


def free_port(preferred=0):
    """The preferred port if it is free, or else any that is."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, preferred))
        except OSError:
            probe.bind((HOST, 0))
        return probe.getsockname()[1]


def listens(port):
    try:
        socket.create_connection((HOST, port), timeout=1).close()
        return True
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
