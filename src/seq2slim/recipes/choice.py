"""What was typed after an option, before anything is parsed: a recipe decides the defaults of the other options."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

R = TypeVar("R")


def typed(arguments: Sequence[str], option: str) -> str | None:
    """The value of `option`, as "--option value" or "--option=value"; the last one counts, as in tyro. None: absent."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    found = [value for word, value in pairwise(words) if word == option]
    return found[-1] if found else None


def typed_recipe(arguments: Sequence[str], recipes: Mapping[str, R]) -> dict[str, str | R]:
    """The fields `recipe` and `settings` of an experiment's options, of the recipe named by --recipe; {} for none.

    A name that is unknown gives {} too: the parser will refuse it.
    """
    name = typed(arguments, "--recipe")
    return {"recipe": name, "settings": recipes[name]} if name in recipes else {}
