"""Scores of the weights of many concrete arrays, computed block by block and never all at once.

The score of a weight w in array a is |w| / scale_a in float64 (infinite where scale_a is 0); an already pruned weight
scores -1, below everything.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

BLOCK = 1 << 18  # weights; 1 MiB of float32: fits the cache of a core, and keeps the overhead of Python small
PRUNED = -1.0  # score of an already pruned weight


class Block(NamedTuple):
    """A slice of one flat array."""

    array: int
    start: int
    stop: int


class Scores:
    """Blockwise view of the scores of many arrays; arguments as in `selection.keep_largest`."""

    def __init__(self, weights: Sequence, scales=None, kept=None, names=None):
        arrays = [np.asarray(w) for w in weights]
        self.shapes = [w.shape for w in arrays]
        self.flat = [w.reshape(-1) for w in arrays]
        self.scales = [1.0] * len(arrays) if scales is None else [float(scale) for scale in scales]
        if kept is None:
            self.kept = [None] * len(arrays)
        else:
            self.kept = [None if np.ndim(mask) == 0 else np.asarray(mask).reshape(-1) for mask in kept]
        self.names = names or [f"array {n}" for n in range(len(arrays))]
        self.size = sum(w.size for w in self.flat)
        self.blocks = [
            Block(n, start, min(start + BLOCK, w.size))
            for n, w in enumerate(self.flat)
            for start in range(0, w.size, BLOCK)
        ]
        # Narrow floats are compared as float32, which holds them exactly.
        self.dtypes = [np.dtype(np.float64 if w.dtype == np.float64 else np.float32) for w in self.flat]

    def map(self, function: Callable[[Block], object]) -> list:
        """Results of `function` over all blocks, in order; on all cores, as NumPy leaves the interpreter lock."""
        blocks = self.blocks
        workers = min(os.cpu_count() or 1, 16, len(blocks) // 4)
        if workers < 2:
            return [function(block) for block in blocks]
        share = -(-len(blocks) // (8 * workers))  # one task per block would cost more than the block
        parts = [blocks[start : start + share] for start in range(0, len(blocks), share)]
        with ThreadPoolExecutor(workers) as pool:
            done = pool.map(lambda part: [function(block) for block in part], parts)
            return [result for part in done for result in part]

    def values(self, block: Block) -> np.ndarray:
        """The kept weights of a block."""
        part = self.flat[block.array][block.start : block.stop]
        kept = self.kept[block.array]
        return part if kept is None else part[kept[block.start : block.stop]]

    def first_kept(self) -> float:
        """The first weight that is kept; 0 if none is."""
        for block in self.blocks:
            values = self.values(block)
            if values.size:
                return float(values[0])
        return 0.0

    def magnitudes(self, block: Block) -> np.ndarray:
        """|w| of a block, -1 where already pruned: float32 or float64."""
        part = self.flat[block.array][block.start : block.stop]
        dtype = self.dtypes[block.array]
        magnitude = np.abs(part) if part.dtype == dtype else np.abs(part.astype(dtype))
        if self.kept[block.array] is not None:
            np.copyto(magnitude, PRUNED, where=~self.kept[block.array][block.start : block.stop])
        return magnitude

    def of(self, block: Block, magnitudes: np.ndarray) -> np.ndarray:
        """float64 scores of magnitudes of a block's array."""
        return _score(magnitudes, self.scales[block.array])

    def sample(self, size: int) -> np.ndarray:
        """All scores if there are at most `size`, else about `size` at random places of each array by its share."""
        generator = np.random.default_rng(0)
        scores = []
        for n, w in enumerate(self.flat):
            if self.size <= size:
                magnitude = self.magnitudes(Block(n, 0, w.size))
            else:
                places = np.sort(generator.integers(0, w.size, -(-size * w.size // self.size))) if w.size else []
                magnitude = np.abs(w[places].astype(self.dtypes[n]))
                if self.kept[n] is not None:
                    magnitude[~self.kept[n][places]] = PRUNED
            scores.append(_score(magnitude, self.scales[n]))
        return np.concatenate(scores)

    def limits(self, score: float, strict: bool) -> list:
        """Per array, the largest magnitude that scores below `score` (or equal to it, unless `strict`); -2 if none."""
        return [_last(score, strict, scale, dtype) for scale, dtype in zip(self.scales, self.dtypes)]

    def count(self, score: float, strict: bool) -> int:
        """Number of scores below `score` (or equal to it, unless `strict`)."""
        limits = self.limits(score, strict)
        return sum(self.map(lambda block: np.count_nonzero(self.magnitudes(block) <= limits[block.array])))

    def describe_nan(self, block: Block, magnitudes: np.ndarray) -> str:
        """Error message with the place of the first NaN of a block."""
        index = block.start + int(np.flatnonzero(np.isnan(magnitudes))[0])
        place = [int(i) for i in np.unravel_index(index, self.shapes[block.array])]
        return f"weight {place} of {self.names[block.array]!r} is NaN; it has no magnitude to rank"


def _score(magnitude: np.ndarray, scale: float) -> np.ndarray:
    """float64 scores of magnitudes; -1 stays -1."""
    score = magnitude.astype(np.float64)
    if scale == 0:
        return np.where(score < 0, PRUNED, np.inf)
    if scale != 1:
        np.divide(score, scale, out=score, where=score >= 0)
    return score


def _last(score: float, strict: bool, scale: float, dtype: np.dtype):
    """The largest magnitude that scores below `score` (or equal to it, unless `strict`), of `dtype`; -2 if none.

    It is found by bisection on the bits. Division rounds monotonically, so the scores up to `score` are those of the
    magnitudes up to this one: a block is compared in its own dtype, with the same result as comparing float64 scores.
    """
    passes = (lambda s: s < score) if strict else (lambda s: s <= score)
    if not passes(PRUNED):
        return dtype.type(-2)
    bits = np.dtype(f"u{dtype.itemsize}")

    def magnitude(pattern):
        return np.array(pattern, bits).view(dtype)[()]

    def fits(pattern):
        return passes(_score(np.atleast_1d(magnitude(pattern)), scale)[0])

    low, high = 0, int(np.array(np.inf, dtype).view(bits))
    if not fits(low):
        return dtype.type(PRUNED)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return magnitude(low)
