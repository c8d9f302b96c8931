"""Options read before the command line is parsed: a recipe decides the defaults of the other options."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

R = TypeVar("R")


def typed(arguments: Sequence[str], option: str) -> str | None:
    """The value of "--option value" or "--option=value", of the last one as in tyro; None where it is absent."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    found = [value for word, value in pairwise(words) if word == option]
    return found[-1] if found else None


def typed_recipe(arguments: Sequence[str], recipes: Mapping[str, R]) -> dict[str, str | R]:
    """`recipe` (its name) and `settings` (the recipe) of --recipe, as fields of an experiment's Config.

    {} without --recipe, and for an unknown name, which the parser then refuses.
    """
    name = typed(arguments, "--recipe")
    return {"recipe": name, "settings": recipes[name]} if name in recipes else {}
