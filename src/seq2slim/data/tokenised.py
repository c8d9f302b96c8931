"""A corpus as token ids: memory-mapped arrays on disk, or sentences in memory."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seq2slim.data.corpora import SPLITS
from seq2slim.errors import UserError
from seq2slim.files import file_sha256

LONGEST = 1000  # tokens per side of a valid or test sentence; the rest is cut
MANIFEST = "manifest.json"
SIDES = ("source", "target")
ARRAYS = {"lines": np.int64} | {f"{s}.{n}": d for s in SIDES for n, d in (("ids", np.int32), ("offsets", np.int64))}


@dataclass(frozen=True)
class TokenisedSide:
    """Ragged ids: sentence i is ids[offsets[i]:offsets[i + 1]], without BOS and EOS."""

    ids: np.ndarray  # int32[tokens]
    offsets: np.ndarray  # int64[N + 1]

    @staticmethod
    def of(sentences: Sequence[Sequence[int]]) -> TokenisedSide:
        """The ids of sentences in memory."""
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
    """N sentence pairs. lines: int64[N], the line number (from 0) of each in the corpus files.

    counts: `pairs` kept; pairs with an `empty` side (dropped from train, kept in valid and test), dropped as `too_long`
    (train only) or `cut` (valid and test only); and for each side its tokens and its unknown tokens, as
    `source_tokens` and `source_unknown`.
    """

    source: TokenisedSide
    target: TokenisedSide
    lines: np.ndarray
    counts: Mapping[str, int]

    @staticmethod
    def of(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]] | None = None) -> TokenisedSplit:
        """Sentences in memory, each cut after `LONGEST` tokens; without targets for decoding."""
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
        """What was dropped or cut, as a message.

        As in "train: 29,000 pairs, 3 empty and 12 too long dropped; valid: 1,014 pairs, 2 empty kept; ...".
        """
        return "; ".join(counts_phrase(name, split.counts) for name, split in self.splits.items())

    @staticmethod
    def load(folder: Path) -> TokenisedCorpus:
        """Memory-maps the arrays that `tokenise` wrote, after a check of their SHA-256.

        Raises: FileNotFoundError or UserError if one is missing or has changed since it was written.
        """
        try:
            manifest = json.loads((Path(folder) / MANIFEST).read_text())
            counts, digests = manifest["counts"], manifest["sha256"]
            return TokenisedCorpus(
                {split: _load_split(Path(folder), split, counts[split], digests) for split in SPLITS}
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{Path(folder) / MANIFEST} is damaged, or of another version ({error!r})") from None


def _load_split(folder: Path, split: str, counts: Mapping[str, int], digests: Mapping[str, str]) -> TokenisedSplit:
    arrays = {}
    for name, dtype in ARRAYS.items():
        path = folder / f"{split}.{name}.npy"
        if file_sha256(path) != digests[path.name]:
            raise UserError(f"{path} has changed since it was written (its SHA-256 is not the manifest's)")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype != dtype or array.ndim != 1:
            raise UserError(f"{path}: expected {np.dtype(dtype)}[n], found {array.dtype} with shape {array.shape}")
        arrays[name] = array
    sides = []
    for side in SIDES:
        ids, offsets = arrays[f"{side}.ids"], arrays[f"{side}.offsets"]
        if len(offsets) != counts["pairs"] + 1 or offsets[-1] != len(ids) or len(arrays["lines"]) != counts["pairs"]:
            raise UserError(
                f"{folder}: the arrays of {split} do not belong together; remove the folder and tokenise again"
            )
        sides.append(TokenisedSide(ids, offsets))
    return TokenisedSplit(*sides, arrays["lines"], counts)


def counts_phrase(name: str, counts: Mapping[str, int]) -> str:
    """What became of the pairs of one split, as a message."""
    phrase = f"{name}: {counts['pairs']:,} pairs"
    if name != "train" and counts["empty"]:
        phrase += f", {counts['empty']:,} empty kept"
    elif counts["empty"] or counts["too_long"]:
        phrase += f", {counts['empty']:,} empty and {counts['too_long']:,} too long dropped"
    if counts["cut"]:
        phrase += f", {counts['cut']:,} cut to {LONGEST} tokens"
    return phrase
