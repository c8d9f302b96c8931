"""Errors that the program treats specially: user errors, damaged files, requested stops."""

import difflib
from collections.abc import Iterable
from pathlib import Path


class UserError(ValueError):
    """An error of input, options or files. The message says what would be right; it is shown without a traceback."""


class Damaged(UserError):
    """The files that a finished stage left in `run_dir` have changed. The runner then counts it as unfinished."""

    def __init__(self, run_dir: Path, message: str):
        super().__init__(message)
        self.run_dir = run_dir


class StopRequested(Exception):
    """Raised by long work that has saved, because a stop was requested. The message says how far it got."""


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a message about the unknown `name`: the nearest of `names`, or all of them."""
    names = list(names)
    if close := difflib.get_close_matches(name, names, n=1, cutoff=0.5):
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(names)}"
