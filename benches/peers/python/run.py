"""Starts the handler as Lambda's runtime for Python does, with AWS's own runtime client."""

from awslambdaric.__main__ import main

main(["run.py", "handler.handle"])
