"""Processes that are started here, and stopped here, whatever happens; and their logs."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
STOPS_WITHIN = 5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Trouble(Exception):
    """What went wrong, and what to do, in words for the person at the terminal."""


class Progress:
    """One line that says how far it is. Where no terminal is, a line every ten seconds."""

    def __init__(self):
        self.told = time.monotonic()

    def show(self, text):
        if sys.stdout.isatty():
            print(f"\r\x1b[K{text[:99]}", end="", flush=True)
        elif time.monotonic() - self.told >= 10:
            self.told = time.monotonic()
            print(text, flush=True)

    def end(self):
        if sys.stdout.isatty():
            print("\r\x1b[K", end="", flush=True)


def report(what, where, details):
    print(f"{what:<18} {where:<42} {details}", flush=True)


class Interrupted(BaseException):
    """A signal asks for the end. Not an `Exception`, so that nothing takes it for a failure of its own."""

    def __init__(self, number):
        self.number = number


def interrupt(number, _frame):
    raise Interrupted(number)


class Processes:
    """The processes of one run. Leaving the `with` block stops all of them."""

    def __init__(self):
        self.running = []

    def __enter__(self):
        return self

    def start(self, name, command, env=None):
        """Starts a process that writes to .local/NAME.log."""
        log = LOCAL / f"{name}.log"
        with signals_held_back(), log.open("wb") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for this script alone, which then stops the others in order.
                start_new_session=True,
            )
            process.name, process.log = name, log
            self.running.append(process)
        return process

    def check(self):
        """Fails when a process has ended that should still run."""
        for process in self.running:
            if process.poll() is not None:
                raise Trouble(f"{process.name} has ended with code {process.returncode}{last_lines(process.log)}")

    def stop(self, *processes):
        """Stops these processes and all that they started."""
        # `cargo lambda watch` puts the function into a session of its own: a process group would miss it.
        pids = descendants({process.pid for process in processes})
        send_signal(pids, signal.SIGTERM)
        deadline = time.monotonic() + STOPS_WITHIN
        while pids and time.monotonic() < deadline:
            for process in processes:
                process.poll()
            pids = {pid for pid in pids if is_alive(pid)}
            time.sleep(0.05)
        send_signal(pids, signal.SIGKILL)
        for process in processes:
            process.wait()
            self.running.remove(process)

    def __exit__(self, *_):
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self.stop(*self.running)


@contextmanager
def signals_held_back():
    """No process is started and then forgotten because a signal came in between."""
    held = []
    handlers = {number: signal.signal(number, lambda n, _: held.append(n)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if held:
        raise Interrupted(held[0])


def descendants(pids):
    """These processes, their children, and so on."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    parents = [tuple(map(int, line.split())) for line in table.splitlines()]
    found = set()
    new = set(pids)
    while new:
        found |= new
        new = {pid for pid, parent in parents if parent in new} - found
    return found


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def send_signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def log_lines(log):
    text = log.read_text(errors="replace") if log.exists() else ""
    return [line for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if line.strip()]


def last_lines(log, count=15):
    lines = log_lines(log)[-count:]
    return f"; the end of {log.relative_to(ROOT)}:\n" + "\n".join(f"  | {line}" for line in lines) if lines else ""
