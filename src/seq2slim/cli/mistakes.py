"""Answers to what was mistyped."""

import difflib
from collections.abc import Iterable


class UsageError(Exception):
    """What was typed cannot be done; the message says what can."""


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a message about the unknown `name`: the nearest of `names`, or all of them."""
    names = list(names)
    if close := difflib.get_close_matches(name, names, n=1, cutoff=0.5):
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(names)}"
