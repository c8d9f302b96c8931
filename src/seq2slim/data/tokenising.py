"""Tokenises a corpus into a folder of arrays: streamed, in bounded memory, and complete or absent."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from seq2slim.data.corpora import SPLITS, Corpus, read_lines
from seq2slim.data.corpora.prepared import replace_folder
from seq2slim.data.tokenised import ARRAYS, LONGEST, MANIFEST, SIDES, TokenisedCorpus, counts_phrase
from seq2slim.data.vocabulary import Vocabulary
from seq2slim.errors import UserError
from seq2slim.files import file_sha256, scratch_folder
from seq2slim.special_ids import UNK

_CHUNK = 8192  # lines encoded at once: bounds the memory
_VERSION = 3  # of the arrays; arrays of another version are written again
_COUNTS = (
    "pairs",
    "empty",
    "too_long",
    "cut",
    *(f"{side}_{what}" for side in SIDES for what in ("tokens", "unknown")),
)
_Encoded = dict[int, tuple[list[int], list[int]]]  # ids of source and target by line number


def tokenise(
    corpus: Corpus, source: Vocabulary, target: Vocabulary, folder: Path, max_length: int = 100
) -> TokenisedCorpus:
    """The corpus as token ids in `folder`; reused if they are there already, for the same text and options.

    From train, pairs with an empty side and pairs with more than `max_length` tokens on a side are dropped. Valid
    and test keep every line, even if a side is empty (a source row of only PAD, a target row of only EOS); a side is
    cut after `LONGEST` tokens. Memory is bounded. The arrays are written next to `folder`, then renamed.

    Raises: UserError if no train pair is left.
    """
    folder = Path(folder)
    identity = {
        "version": _VERSION,
        "corpus": corpus.sha256,
        "source": source.sha256,
        "target": target.sha256,
        "max_length": max_length,
    }
    if _identity(folder) == identity:
        with contextlib.suppress(OSError, ValueError):  # damaged: tokenised again
            return TokenisedCorpus.load(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder) as scratch:
        fresh = scratch / "new"
        fresh.mkdir()
        counts = {}
        for split in SPLITS:
            counts[split] = _write_split(fresh, split, corpus.splits[split], (source, target), max_length)
        if not counts["train"]["pairs"]:
            left = counts_phrase("train", counts["train"])
            raise UserError(f"corpus {corpus.name!r}: no pair is left to train on ({left}; max_length={max_length})")
        digests = {path.name: file_sha256(path) for path in sorted(fresh.iterdir())}
        manifest = {"identity": identity, "counts": counts, "sha256": digests}
        (fresh / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        replace_folder(fresh, folder)
    return TokenisedCorpus.load(folder)


def _identity(folder: Path) -> dict | None:
    try:
        return json.loads((folder / MANIFEST).read_text())["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_split(
    folder: Path, split: str, paths: tuple[Path, Path], vocabularies: tuple[Vocabulary, Vocabulary], max_length: int
) -> dict[str, int]:
    """Writes the arrays of one split into `folder`; returns its counts."""
    counts = dict.fromkeys(_COUNTS, 0)
    ends = dict.fromkeys(SIDES, 0)
    with contextlib.ExitStack() as stack:
        arrays = {
            name: stack.enter_context(_GrowingArray(folder / f"{split}.{name}.npy", dtype))
            for name, dtype in ARRAYS.items()
        }
        for side in SIDES:
            arrays[f"{side}.offsets"].append([0])
        for first, chunk in _chunks(zip(*map(read_lines, paths), strict=True)):
            encoded = zip(*(vocabulary.encode_many(lines) for vocabulary, lines in zip(vocabularies, zip(*chunk))))
            kept = dict(enumerate(encoded, start=first))
            kept = _train_pairs(kept, max_length, counts) if split == "train" else _evaluation_pairs(kept, counts)
            counts["pairs"] += len(kept)
            arrays["lines"].append(list(kept))
            for side, sentences in zip(SIDES, zip(*kept.values())):
                lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
                ids = np.fromiter(itertools.chain.from_iterable(sentences), np.int32, lengths.sum())
                arrays[f"{side}.offsets"].append(ends[side] + lengths.cumsum())
                arrays[f"{side}.ids"].append(ids)
                ends[side] += len(ids)
                counts[f"{side}_tokens"] += len(ids)
                counts[f"{side}_unknown"] += int((ids == UNK).sum())
    return counts


def _train_pairs(pairs: _Encoded, max_length: int, counts: dict[str, int]) -> _Encoded:
    full = {line: pair for line, pair in pairs.items() if all(pair)}
    fitting = {line: pair for line, pair in full.items() if max(map(len, pair)) <= max_length}
    counts["empty"] += len(pairs) - len(full)
    counts["too_long"] += len(full) - len(fitting)
    return fitting


def _evaluation_pairs(pairs: _Encoded, counts: dict[str, int]) -> _Encoded:
    counts["empty"] += sum(not all(pair) for pair in pairs.values())
    counts["cut"] += sum(max(map(len, pair)) > LONGEST for pair in pairs.values())
    return {line: (source[:LONGEST], target[:LONGEST]) for line, (source, target) in pairs.items()}


def _chunks(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """(number of the first, pairs), `_CHUNK` pairs at a time."""
    pairs = iter(pairs)
    for first in itertools.count(0, _CHUNK):
        chunk = list(itertools.islice(pairs, _CHUNK))
        if not chunk:
            return
        yield first, chunk


class _GrowingArray:
    """A one-dimensional .npy file that is written in pieces.

    numpy pads the header so that the first axis can grow: at the end the header is written again, in the same size.
    """

    def __init__(self, path: Path, dtype: type):
        self._file = open(path, "wb")  # noqa: SIM115 - closed by __exit__
        self._dtype = np.dtype(dtype)
        self._length = 0
        self._header()

    def append(self, values) -> None:
        values = np.asarray(values, self._dtype)
        self._file.write(values.data)  # unlike tofile, this says why it failed
        self._length += len(values)

    def __enter__(self) -> _GrowingArray:
        return self

    def __exit__(self, exception, *_) -> None:
        with self._file:
            if exception is None:
                start = self._data_start
                self._file.seek(0)
                self._header()
                assert self._data_start == start, "numpy changed the size of the .npy header"
                self._file.flush()
                os.fsync(self._file.fileno())

    def _header(self) -> None:
        descr = np.lib.format.dtype_to_descr(self._dtype)
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": descr, "fortran_order": False, "shape": (self._length,)}
        )
        self._data_start = self._file.tell()
