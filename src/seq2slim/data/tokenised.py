"""A corpus as token ids on disk: written once as a stream, read as memory-mapped arrays."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seq2slim.data.corpora import SPLITS, Corpus, read_lines
from seq2slim.data.corpora.prepared import replace_folder
from seq2slim.data.vocabulary import UNK, Vocabulary

LONGEST = 1000  # tokens a side of a valid or test sentence; what comes after is cut
_CHUNK = 8192  # lines encoded at once: bounds the memory
_VERSION = 2
_MANIFEST = "manifest.json"
_SIDES = ("source", "target")
_ARRAYS = {"lines": np.int64} | {f"{s}.{n}": d for s in _SIDES for n, d in (("ids", np.int32), ("offsets", np.int64))}
_COUNTS = (
    "pairs",
    "empty",
    "too_long",
    "cut",
    *(f"{side}_{what}" for side in _SIDES for what in ("tokens", "unknown")),
)
Encoded = dict[int, tuple[list[int], list[int]]]  # ids of source and target by line number


@dataclass(frozen=True)
class TokenisedSide:
    """Ragged ids: sentence i is ids[offsets[i]:offsets[i + 1]], without BOS and EOS."""

    ids: np.ndarray  # int32[tokens]
    offsets: np.ndarray  # int64[N + 1]

    @staticmethod
    def of(sentences: Sequence[Sequence[int]]) -> TokenisedSide:
        """The ids of sentences that are in memory."""
        lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
        ids = np.fromiter(itertools.chain.from_iterable(sentences), np.int32, lengths.sum())
        return TokenisedSide(ids, np.concatenate([[0], lengths.cumsum()]))

    @property
    def lengths(self) -> np.ndarray:
        """int32[N]: tokens of each sentence."""
        return np.diff(self.offsets).astype(np.int32)

    def __getitem__(self, index: int) -> np.ndarray:
        """int32[length]: the ids of sentence `index`."""
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True)
class TokenisedSplit:
    """N sentence pairs. `lines` int64[N] is each one's line number (from 0) in the corpus' files.

    counts: `pairs` kept, those with an `empty` side (dropped from train, kept in valid and test), dropped as `too_long`
    (train only), `cut` (valid and test only), and of each side, as in `source_tokens` and `source_unknown`, all tokens
    and the unknown ones.
    """

    source: TokenisedSide
    target: TokenisedSide
    lines: np.ndarray
    counts: Mapping[str, int]

    @staticmethod
    def of(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]] | None = None) -> TokenisedSplit:
        """Sentences that are in memory, each cut after `LONGEST` tokens; without targets, for decoding."""
        sides = (sources, targets or [()] * len(sources))
        cut = (TokenisedSide.of([ids[:LONGEST] for ids in side]) for side in sides)
        return TokenisedSplit(*cut, np.arange(len(sources)), {"pairs": len(sources)})

    @property
    def lengths(self) -> np.ndarray:
        """int32[N, 2]: source and target tokens of each pair."""
        return np.stack([self.source.lengths, self.target.lengths], axis=1)

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(frozen=True)
class TokenisedCorpus:
    """`splits["train" | "valid" | "test"]`, each a TokenisedSplit."""

    splits: Mapping[str, TokenisedSplit]

    def __getitem__(self, split: str) -> TokenisedSplit:
        return self.splits[split]

    @property
    def dropped(self) -> str:
        """What was dropped or cut, for people.

        As in "train: 29,000 pairs, 3 empty and 12 too long dropped; valid: 1,014 pairs, 2 empty kept; ...".
        """
        return "; ".join(_phrase(name, split.counts) for name, split in self.splits.items())

    @staticmethod
    def load(home: Path) -> TokenisedCorpus:
        """Maps the arrays that `tokenise` wrote. Raises FileNotFoundError or ValueError when they are not all there."""
        manifest = json.loads((Path(home) / _MANIFEST).read_text())
        return TokenisedCorpus({split: _load_split(Path(home), split, manifest["counts"][split]) for split in SPLITS})


def tokenise(
    corpus: Corpus, source: Vocabulary, target: Vocabulary, home: Path, max_length: int = 100
) -> TokenisedCorpus:
    """The corpus as token ids in the folder `home`, reused if it stands there already (same text, options).

    From train, pairs with an empty side and pairs with more than `max_length` tokens on a side are dropped. Valid
    and test keep every line, also where a side is empty (a source row of PAD alone, a target row of EOS alone); a side
    is cut after `LONGEST` tokens. Runs in bounded memory; written beside `home`, then renamed.

    Raises: ValueError if no train pair is left.
    """
    home = Path(home)
    identity = {
        "version": _VERSION,
        "corpus": corpus.sha256,
        "source": source.sha256,
        "target": target.sha256,
        "max_length": max_length,
    }
    if _identity(home) == identity:
        with contextlib.suppress(OSError, ValueError):  # damaged: made anew
            return TokenisedCorpus.load(home)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{home.name}-", dir=home.parent) as scratch:
        fresh = Path(scratch) / "new"
        fresh.mkdir()
        counts = {}
        for split in SPLITS:
            counts[split] = _write_split(fresh, split, corpus.splits[split], (source, target), max_length)
        if not counts["train"]["pairs"]:
            left = _phrase("train", counts["train"])
            raise ValueError(f"corpus {corpus.name!r}: no pair is left to train on ({left}; max_length={max_length})")
        (fresh / _MANIFEST).write_text(json.dumps({"identity": identity, "counts": counts}, indent=1) + "\n")
        replace_folder(fresh, home)
    return TokenisedCorpus.load(home)


def _identity(home: Path) -> dict | None:
    try:
        return json.loads((home / _MANIFEST).read_text())["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_split(
    folder: Path, split: str, paths: tuple[Path, Path], vocabularies: tuple[Vocabulary, Vocabulary], max_length: int
) -> dict[str, int]:
    """Writes the arrays of one split into `folder`; returns its counts."""
    counts = dict.fromkeys(_COUNTS, 0)
    ends = dict.fromkeys(_SIDES, 0)
    with contextlib.ExitStack() as stack:
        arrays = {
            name: stack.enter_context(_GrowingArray(folder / f"{split}.{name}.npy", dtype))
            for name, dtype in _ARRAYS.items()
        }
        for side in _SIDES:
            arrays[f"{side}.offsets"].append([0])
        for first, chunk in _chunks(zip(*map(read_lines, paths), strict=True)):
            encoded = zip(*(vocabulary.encode_many(lines) for vocabulary, lines in zip(vocabularies, zip(*chunk))))
            kept = dict(enumerate(encoded, start=first))
            kept = _train_pairs(kept, max_length, counts) if split == "train" else _evaluation_pairs(kept, counts)
            counts["pairs"] += len(kept)
            arrays["lines"].append(list(kept))
            for side, sentences in zip(_SIDES, zip(*kept.values())):
                lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
                ids = np.fromiter(itertools.chain.from_iterable(sentences), np.int32, lengths.sum())
                arrays[f"{side}.offsets"].append(ends[side] + lengths.cumsum())
                arrays[f"{side}.ids"].append(ids)
                ends[side] += len(ids)
                counts[f"{side}_tokens"] += len(ids)
                counts[f"{side}_unknown"] += int((ids == UNK).sum())
    return counts


def _train_pairs(pairs: Encoded, max_length: int, counts: dict[str, int]) -> Encoded:
    full = {line: pair for line, pair in pairs.items() if all(pair)}
    fitting = {line: pair for line, pair in full.items() if max(map(len, pair)) <= max_length}
    counts["empty"] += len(pairs) - len(full)
    counts["too_long"] += len(full) - len(fitting)
    return fitting


def _evaluation_pairs(pairs: Encoded, counts: dict[str, int]) -> Encoded:
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
    """A one-dimensional .npy file that is written piece by piece.

    numpy pads the header so that the first axis can grow in place: it is written again, in the same size, at the end.
    """

    def __init__(self, path: Path, dtype: type):
        self._file = open(path, "wb")  # noqa: SIM115 - closed by __exit__
        self._dtype = np.dtype(dtype)
        self._length = 0
        self._header()

    def append(self, values) -> None:
        values = np.asarray(values, self._dtype)
        self._file.write(values.data)  # which, unlike tofile, says why it failed
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


def _load_split(home: Path, split: str, counts: Mapping[str, int]) -> TokenisedSplit:
    arrays = {}
    for name, dtype in _ARRAYS.items():
        path = home / f"{split}.{name}.npy"
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype != dtype or array.ndim != 1:
            raise ValueError(f"{path}: expected {np.dtype(dtype)}[n], found {array.dtype} with shape {array.shape}")
        arrays[name] = array
    sides = []
    for side in _SIDES:
        ids, offsets = arrays[f"{side}.ids"], arrays[f"{side}.offsets"]
        if len(offsets) != counts["pairs"] + 1 or offsets[-1] != len(ids) or len(arrays["lines"]) != counts["pairs"]:
            raise ValueError(
                f"{home}: the arrays of {split} do not belong together; remove the folder and tokenise again"
            )
        sides.append(TokenisedSide(ids, offsets))
    return TokenisedSplit(*sides, arrays["lines"], counts)


def _phrase(name: str, counts: Mapping[str, int]) -> str:
    phrase = f"{name}: {counts['pairs']:,} pairs"
    if name != "train" and counts["empty"]:
        phrase += f", {counts['empty']:,} empty kept"
    elif counts["empty"] or counts["too_long"]:
        phrase += f", {counts['empty']:,} empty and {counts['too_long']:,} too long dropped"
    if counts["cut"]:
        phrase += f", {counts['cut']:,} cut to {LONGEST} tokens"
    return phrase
