"""The user's parallel text: plain files, checked and read in place."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from seq2slim.data.corpora.corpus import SPLITS, Corpus, CorpusConfig, content_hash
from seq2slim.data.corpora.lines import decode_lines
from seq2slim.errors import UserError


def load_text(config: CorpusConfig) -> Corpus:
    """The corpus of the six files in `config`, each read once as a stream.

    A language is the train file's suffix (`train.en` -> "en"), or "source" and "target" if the two suffixes are
    equal or one is missing.

    Raises:
      FileNotFoundError: a path is not a file; the message names the nearest file in its folder.
      UserError: naming file and line: bytes that are not UTF-8, a file without words, line counts that differ.
    """
    splits = {split: tuple(Path(path).expanduser() for path in getattr(config, split)) for split in SPLITS}
    for split, pair in splits.items():
        for path in pair:
            _require_file(path, split)
    digests = {split: _check_pair(*splits[split]) for split in SPLITS}
    source, target = (path.suffix.lstrip(".") for path in splits["train"])
    if source == target or not source or not target:
        source, target = "source", "target"
    return Corpus("text", source, target, splits, content_hash(digests))


def _check_pair(source: Path, target: Path) -> tuple[str, str]:
    """The SHA-256 digests of two files that have the same, positive number of lines."""
    (source_digest, source_lines), (target_digest, target_lines) = _examine(source), _examine(target)
    if source_lines != target_lines:
        longer, partnered = (target, source_lines) if source_lines < target_lines else (source, target_lines)
        raise UserError(
            f"{source} has {source_lines} lines and {target} has {target_lines}: they must be parallel, line by line "
            f"({longer}, line {partnered + 1} has no partner)"
        )
    return source_digest, target_digest


def _examine(path: Path) -> tuple[str, int]:
    """The SHA-256 digest and the number of lines of a UTF-8 file with at least one word."""
    digest = hashlib.sha256()
    count, words = 0, False
    with open(path, "rb") as file:

        def hashed() -> Iterator[bytes]:
            for line in file:
                digest.update(line)
                yield line

        for line in decode_lines(hashed(), path):
            count += 1
            words = words or bool(line.strip())
    if not words:
        raise UserError(f"{path}: the corpus is empty ({count} lines, no words)")
    return digest.hexdigest(), count


def _require_file(path: Path, split: str) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise FileNotFoundError(f"{split}: {path} is a folder, not a text file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{split}: no file {path}: there is no folder {path.parent}")
    near = difflib.get_close_matches(
        path.name, (entry.name for entry in path.parent.iterdir() if entry.is_file()), n=1, cutoff=0.4
    )
    hint = f"did you mean {path.parent / near[0]}?" if near else "no file in that folder has a similar name"
    raise FileNotFoundError(f"{split}: no file {path}: {hint}")
