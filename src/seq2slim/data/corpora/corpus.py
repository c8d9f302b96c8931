"""A corpus: a name, two languages, and three pairs of plain text files."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seq2slim.errors import UserError

SPLITS = ("train", "valid", "test")
BIBLE_NAMES = ("bible-en-de", "bible-en-fr", "bible-en-es", "bible-en-it")
# In the Latin script, with more than 13,000 pairs each, except Italian (6,400).
STRINGS_NAMES = tuple(f"strings-en-{language}" for language in ("de", "fr", "es", "it", "pt", "cs", "sv"))
TFDS_PREFIX = "tfds:"  # before the name of a set of TensorFlow Datasets
NAMES = (*BIBLE_NAMES, *STRINGS_NAMES, "reverse", "text")


@dataclass(frozen=True)
class CorpusConfig:
    """Choice of a parallel text.

    Attributes:
      name: `bible-en-X` (X is de, fr, es, it), `strings-en-X` (these, pt, cs, sv), `reverse`, `text`, or a translation
        set of TensorFlow Datasets, as `tfds:ted_hrlr_translate/pt_to_en`.
      train, valid, test: (source path, target path), for `name="text"` only.
      languages: (source, target) of a `tfds:` set, to reverse it or to choose two of many; by default the set's.

    Raises: UserError for an unknown name (with the nearest one), or for an option that does not fit the name.
    """

    name: str = "bible-en-de"
    train: tuple[str, str] | None = None
    valid: tuple[str, str] | None = None
    test: tuple[str, str] | None = None
    languages: tuple[str, str] | None = None

    def __post_init__(self):
        if self.name not in NAMES and not self.is_tfds:
            _, colon, rest = self.name.partition(":")
            known = (*NAMES, TFDS_PREFIX + rest) if colon else NAMES
            near = difflib.get_close_matches(self.name, known, n=1, cutoff=0.0)[0]
            raise UserError(
                f"unknown corpus {self.name!r}: did you mean {near!r}? There are {', '.join(NAMES)}, "
                "and tfds:NAME for a set of TensorFlow Datasets"
            )
        if self.name == TFDS_PREFIX:
            raise UserError("corpus 'tfds:' needs the name of a set, as in 'tfds:ted_hrlr_translate/pt_to_en'")
        if self.languages is not None:
            if not self.is_tfds:
                raise UserError(f"languages={self.languages} goes with a corpus 'tfds:NAME', not with {self.name!r}")
            if len(set(self.languages)) != 2 or len(self.languages) != 2:
                raise UserError(f"languages must be two different ones, (source, target), got {self.languages}")
        for split in SPLITS:
            paths = getattr(self, split)
            if self.name != "text" and paths is not None:
                raise UserError(f"{split}={paths} goes with corpus name 'text', not with {self.name!r}")
            if self.name == "text" and (paths is None or len(paths) != 2):
                raise UserError(f"corpus 'text' needs {split}=(source path, target path), got {paths}")

    @property
    def is_tfds(self) -> bool:
        """Whether the name is that of a TensorFlow Datasets set."""
        return self.name.startswith(TFDS_PREFIX)


@dataclass(frozen=True)
class Corpus:
    """Parallel plain text on disk: `splits[split]` is (source path, target path), one sentence per line, UTF-8.

    Line i of the source belongs to line i of the target; read them with `corpora.read_lines`. `sha256` is a hash of the
    files' content only, so the same text under another name or path is the same corpus.
    """

    name: str
    source_language: str
    target_language: str
    splits: Mapping[str, tuple[Path, Path]]
    sha256: str


def content_hash(digests: Mapping[str, tuple[str, str]]) -> str:
    """One hash for a corpus from the SHA-256 hex digest of its files, `digests[split] = (source, target)`."""
    return hashlib.sha256("".join(digest for split in SPLITS for digest in digests[split]).encode()).hexdigest()
