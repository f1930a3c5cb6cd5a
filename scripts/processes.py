"""Processes that are started here, and stopped here, whatever happens; and their logs."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"


class Trouble(Exception):
    """What went wrong, and what to do, in words for the person at the terminal."""


class Interrupted(Exception):
    """A signal asks for the end."""

    def __init__(self, number):
        self.number = number


class Processes:
    """The processes of one run. Leaving the `with` block stops all of them."""

    def __init__(self):
        self.running = []
        self.signals = []

    def __enter__(self):
        # A signal only leaves a note, so that no process is started and then forgotten.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: self.signals.append(number))
        return self

    def __exit__(self, *_):
        self.stop(*self.running)

    def start(self, name, command, env=None):
        """Starts a process that writes to .local/NAME.log."""
        log = LOCAL / f"{name}.log"
        with log.open("wb") as output:
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

    def run(self, command):
        """Runs a command at the terminal. Returns its exit code."""
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            while process.poll() is None:
                self.check()
                time.sleep(0.05)
        finally:
            end(process)
        self.check()
        return process.returncode

    def wait(self, what, is_ready, limit=60, doing=lambda: ""):
        """Waits until `is_ready()`. Says how long it takes: on one line, or every ten seconds without a terminal."""
        clear = "\r\x1b[K" if sys.stdout.isatty() else ""
        begin = told = time.monotonic()
        while not is_ready():
            self.check()
            now = time.monotonic()
            if now - begin > limit:
                logs = "".join(last_lines(process.log) for process in self.running)
                raise Trouble(f"{what} doesn't answer after {limit} s{logs}")
            text = f"{what}: starting, {now - begin:.0f} s  {doing()}"
            if clear:
                print(clear + text[:99], end="", flush=True)
            elif now - told >= 10:
                told = now
                print(text, flush=True)
            time.sleep(0.1)
        print(clear, end="", flush=True)

    def check(self):
        """Fails when a signal asks for the end, or a process has ended that should still run."""
        if self.signals:
            raise Interrupted(self.signals[0])
        for process in self.running:
            if process.poll() is not None:
                raise Trouble(f"{process.name} has ended with code {process.returncode}{last_lines(process.log)}")

    def stop(self, *processes):
        """Stops these processes and all that they started."""
        end(*processes)
        self.running = [process for process in self.running if process not in processes]


def end(*processes):
    # `cargo lambda watch` puts the function into a session of its own: a process group would miss it.
    pids = descendants({process.pid for process in processes if process.poll() is None})
    deadline = time.monotonic() + 5
    pids = {pid for pid in pids if send_signal(pid, signal.SIGTERM)}
    while pids and time.monotonic() < deadline:
        for process in processes:
            process.poll()
        pids = {pid for pid in pids if send_signal(pid, 0)}
        time.sleep(0.05)
    for pid in pids:
        send_signal(pid, signal.SIGKILL)
    for process in processes:
        process.wait()


def descendants(pids):
    """These processes, their children, and so on."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    parents = [tuple(map(int, line.split())) for line in table.splitlines()]
    found, new = set(), set(pids)
    while new:
        found |= new
        new = {pid for pid, parent in parents if parent in new} - found
    return found


def send_signal(pid, number):
    """Returns whether there is such a process."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def log_lines(log):
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))
    return [line for line in text.splitlines() if line.strip()]


def last_lines(log, count=15):
    lines = log_lines(log)[-count:]
    return f"; the end of {log.relative_to(ROOT)}:\n" + "\n".join(f"  | {line}" for line in lines) if lines else ""
