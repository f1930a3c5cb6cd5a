"""What the person at the terminal sees."""

import os
import shutil
import sys
import time


class Trouble(Exception):
    """What went wrong, and what to do, in words for the person at the terminal."""


class Progress:
    """One line that says how far it is. Where no terminal is, a line every ten seconds."""

    def __init__(self):
        self.shown = time.monotonic()

    def show(self, text):
        if sys.stdout.isatty():
            print(f"\r\x1b[K{cut(text, width() - 1)}", end="", flush=True)
        elif time.monotonic() - self.shown >= 10:
            self.shown = time.monotonic()
            print(text, flush=True)

    def end(self):
        if sys.stdout.isatty():
            print("\r\x1b[K", end="", flush=True)


def report(what, where, details):
    print(f"{what:<24} {where:<42} {details}", flush=True)


def width():
    return shutil.get_terminal_size((120, 24)).columns


def cut(text, size):
    """
    >>> cut("a long line", 6), cut("short", 6), cut("two\\nlines", 20)
    ('a lon…', 'short', 'two lines')
    """
    text = text.replace("\n", " ")
    return text if len(text) <= size else text[: max(size - 1, 0)] + "…"


def paint(code, text):
    return f"\x1b[{code}m{text}\x1b[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def bold(text):
    return paint("1", text)


def green(text):
    return paint("32", text)


def red(text):
    return paint("31", text)
