"""A generated toy: random letters in, the same letters in reversed order out. A tiny model learns it in a minute."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from seq2slim.data.corpora.corpus import Corpus
from seq2slim.data.corpora.prepared import prepare

LETTERS = "abcdefghijkl"
LENGTHS = (2, 8)
SIZES = {"train": 4000, "valid": 200, "test": 200}
_SEED = 1
_VERSION = 1


def load_reverse(cache: Path, report: Callable[[str], None]) -> Corpus:
    """The toy in `cache/reverse`: `SIZES` pairs of `LENGTHS` letters; no source occurs twice overall."""
    return prepare("reverse", ("letters", "reversed"), _VERSION, cache, _build, report)


def _build() -> dict[str, list[tuple[str, str]]]:
    generator = random.Random(_SEED)
    seen: dict[str, str] = {}  # in order of generation
    while len(seen) < sum(SIZES.values()):
        letters = generator.choices(LETTERS, k=generator.randint(*LENGTHS))
        seen[" ".join(letters)] = " ".join(reversed(letters))
    pairs = iter(seen.items())
    return {split: [next(pairs) for _ in range(size)] for split, size in SIZES.items()}
