"""The command line: `python -m seq2slim COMMAND`; one module per command, imported on use."""

from seq2slim.cli.program import main

__all__ = ["main"]
