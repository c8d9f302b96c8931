"""The command line: `python -m seq2slim COMMAND`; one module a command, imported when it is typed."""

from seq2slim.cli.program import main

__all__ = ["main"]
