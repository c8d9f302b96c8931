"""A teacher's k most probable words at every target position of a training set, on disk.

    words.npy       int32[P, k], most probable first        log_probs.npy    f32[P, k], nats, over the whole vocabulary
    offsets.npy     int64[N + 1]: pair i of the training set has the positions offsets[i] .. offsets[i + 1] - 1, one per
                    target token and one for EOS                lines.npy    int64[N], each pair's line number

The remaining probability mass is not stored: a student renormalises (`losses.word_distillation.taught_distribution`).
"""

from pathlib import Path

import numpy as np

from seq2slim.distillation.shards import shard_path
from seq2slim.errors import UserError
from seq2slim.files import written_whole
from seq2slim.losses import TopK
from seq2slim.special_ids import PAD

_FILES = {"words": np.int32, "log_probs": np.float32, "offsets": np.int64, "lines": np.int64}


def positions(target_lengths: np.ndarray) -> np.ndarray:
    """int64[N + 1]: first position of each pair, then their total; a pair has one position more than target tokens."""
    return np.concatenate([[0], np.cumsum(np.asarray(target_lengths, np.int64) + 1)])


def write_shard(path: Path, rows: np.ndarray, words: np.ndarray, log_probs: np.ndarray) -> None:
    """Writes the positions of the pairs `rows` int64[n], one after the other: words and log_probs [positions, k]."""
    with written_whole(path) as file:
        np.savez(file, rows=rows.astype(np.int64), words=words.astype(np.int32), log_probs=log_probs.astype(np.float32))


def write_store(folder: Path, shards: Path, count: int, target_lengths: np.ndarray, lines: np.ndarray, k: int) -> None:
    """Writes the store from finished shards, in the order of the training set.

    Args: target_lengths, lines: int[N] of all pairs, each of which is in one shard.
    Raises: UserError if a pair is in no shard.
    """
    offsets = positions(target_lengths)
    words, log_probs = np.full((offsets[-1], k), -1, np.int32), np.zeros((offsets[-1], k), np.float32)
    for index in range(count):
        with np.load(shard_path(shards, index), allow_pickle=False) as shard:
            own = np.concatenate([np.arange(offsets[row], offsets[row + 1]) for row in shard["rows"]])
            words[own], log_probs[own] = shard["words"], shard["log_probs"]
    if (words < 0).any():
        raise UserError(f"{(words[:, 0] < 0).sum()} target positions are in no shard")
    for name, array in zip(_FILES, (words, log_probs, offsets, np.asarray(lines, np.int64))):
        with written_whole(folder / f"{name}.npy") as file:
            np.save(file, array)


class TopKStore:
    """A memory-mapped store. Raises: FileNotFoundError or UserError if it is incomplete."""

    def __init__(self, folder: Path):
        arrays = {}
        for name, dtype in _FILES.items():
            arrays[name] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            if arrays[name].dtype != dtype:
                raise UserError(f"{folder / name}.npy: expected {np.dtype(dtype)}, found {arrays[name].dtype}")
        self.words, self.log_probs, self._offsets, lines = arrays.values()
        if not (len(self.words) == len(self.log_probs) == self._offsets[-1] and len(self._offsets) == len(lines) + 1):
            raise UserError(f"{folder}: the arrays do not belong together")
        self._rows = np.full(int(lines.max()) + 1, -1, np.int64)
        self._rows[lines] = np.arange(len(lines))

    @property
    def k(self) -> int:
        """Words per position."""
        return self.words.shape[1]

    def of(self, batch) -> TopK:
        """The teacher's words for a `data.Batch`: TopK with [T, B, k], time first; padding holds words 0 .. k-1.

        Raises: UserError if a line of the batch is not in the store, or has a different number of target tokens there.
        """
        size, steps = batch.target_out.shape
        words = np.broadcast_to(np.arange(self.k, dtype=np.int32), (size, steps, self.k)).copy()
        log_probs = np.zeros((size, steps, self.k), np.float32)
        lengths = (batch.target_out != PAD).sum(1)
        for row, line in enumerate(batch.ids):
            if line < 0:
                continue
            index = self._rows[line] if line < len(self._rows) else -1
            start, end = self._offsets[index : index + 2] if index >= 0 else (0, 0)
            if end - start != lengths[row]:
                raise UserError(f"line {line} has {lengths[row]} target positions, and {end - start} in the store")
            words[row, : end - start], log_probs[row, : end - start] = self.words[start:end], self.log_probs[start:end]
        return TopK(words.swapaxes(0, 1), log_probs.swapaxes(0, 1))
