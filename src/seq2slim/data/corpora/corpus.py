"""What a corpus is: its name, its two languages and three pairs of plain text files."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "valid", "test")
BIBLE_NAMES = ("bible-en-de", "bible-en-fr", "bible-en-es", "bible-en-it")
NAMES = (*BIBLE_NAMES, "reverse", "text")


@dataclass(frozen=True)
class CorpusConfig:
    """Which parallel text. `train`, `valid` and `test` are (source path, target path), for `name="text"` only.

    Raises: ValueError for an unknown name (with the nearest one), or when paths and name do not go together.
    """

    name: str = "bible-en-de"
    train: tuple[str, str] | None = None
    valid: tuple[str, str] | None = None
    test: tuple[str, str] | None = None

    def __post_init__(self):
        if self.name not in NAMES:
            near = difflib.get_close_matches(self.name, NAMES, n=1, cutoff=0.0)[0]
            raise ValueError(f"unknown corpus {self.name!r}: did you mean {near!r}? There are {', '.join(NAMES)}")
        for split in SPLITS:
            paths = getattr(self, split)
            if self.name != "text" and paths is not None:
                raise ValueError(f"{split}={paths} goes with corpus name 'text', not with {self.name!r}")
            if self.name == "text" and (paths is None or len(paths) != 2):
                raise ValueError(f"corpus 'text' needs {split}=(source path, target path), got {paths}")


@dataclass(frozen=True)
class Corpus:
    """Parallel plain text on disk: `splits[split]` is (source path, target path), one sentence a line, UTF-8.

    Line i of the source belongs to line i of the target; read them with `corpora.read_lines`. `sha256` is the hash
    of the files' content and of nothing else, so the same text under another name or path is the same corpus.
    """

    name: str
    source_language: str
    target_language: str
    splits: Mapping[str, tuple[Path, Path]]
    sha256: str


def content_hash(digests: Mapping[str, tuple[str, str]]) -> str:
    """One hash for a corpus from the SHA-256 hex digest of its files, `digests[split] = (source, target)`."""
    return hashlib.sha256("".join(digest for split in SPLITS for digest in digests[split]).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """The SHA-256 hex digest of a file, streamed."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
