"""Exact "prune the k smallest scores" over many concrete arrays, in blocks, without sorting or copying them.

The score of a weight w in array a is |w| / scale_a in float64 (infinite where scale_a is 0); an already pruned weight
scores -1, below everything. Equal scores go in order of position: array by array, and by C-order index within one.
`selection_traced` does the same under jit.

A random sample brackets the threshold; one pass counts what lies outside and collects what lies inside. For 216M
float32 weights in 12 arrays, on a shared machine of 2 cores, that took 0.25-0.39 s, masks included 0.45-0.76 s.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

BLOCK = 1 << 18  # weights; 1 MiB of float32: small enough for a core's cache, and the interpreter's share is small
SAMPLE = 1 << 17  # scores sampled to bracket the threshold
PRUNED = -1.0  # score of an already pruned weight


class Threshold(NamedTuple):
    """Pruned are all scores below `score`, and of those equal to it the first `ties` by position."""

    score: float
    ties: int


class Block(NamedTuple):
    """A stretch of one flat array."""

    array: int
    start: int
    stop: int


def keep_largest(weights: Sequence, k: int, scales=None, kept=None, names=None) -> list[np.ndarray]:
    """Masks that prune exactly the k smallest scores, and whatever was pruned before.

    Args:
      weights: concrete floating arrays of any shapes.
      k: how many to prune, 0 <= k <= N; at least as many go as `kept` has pruned already.
      scales: what |w| is divided by, one float an array, in [0, inf); 1 where None.
      kept: existing masks, bool arrays of the same shapes or scalars ("all kept"); None keeps all.
      names: of the arrays, for errors.
    Returns: bool arrays of the same shapes, True keeps; freshly allocated.
    Raises: ValueError for a NaN weight that was not pruned before, or k outside [0, N].
    """
    pool = _Scores(weights, scales, kept, names)
    return pool.masks(pool.threshold(k))


def threshold(weights: Sequence, k: int, scales=None, kept=None, names=None, sample: int = SAMPLE) -> Threshold:
    """The threshold that prunes exactly the k smallest scores; arguments and errors as in `keep_largest`."""
    return _Scores(weights, scales, kept, names).threshold(k, sample)


def deviation(weights: Sequence, kept=None) -> float:
    """Population standard deviation of all kept weights of several arrays, mean subtracted, accumulated in float64.

    Blocks are merged by the update of Chan, Golub and LeVeque (1983). Weights are shifted by the first one beforehand,
    so equal weights give exactly 0.

    Args: weights, kept: as in `keep_largest`.
    Returns: sigma >= 0; 0 if nothing is kept; NaN or infinity if a kept weight is not finite.
    """
    pool = _Scores(weights, None, kept, None)
    shift = pool.first_kept()

    def moments(block):
        values = pool.values(block).astype(np.float64)
        if values.size == 0:
            return 0, 0.0, 0.0
        values -= shift
        mean = values.mean()
        values -= mean
        return values.size, mean, np.square(values, out=values).sum()

    count, mean, squares = 0, 0.0, 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        for n_b, mean_b, squares_b in _run(moments, pool.blocks):
            if n_b:
                gap = mean_b - mean
                squares += squares_b + gap * gap * count * n_b / (count + n_b)
                mean += gap * n_b / (count + n_b)
                count += n_b
        return float(np.sqrt(squares / count)) if count else 0.0


def aligned_empty(shape) -> np.ndarray:
    """An uninitialised bool array on a 64-byte boundary, which JAX on a CPU takes over without a copy."""
    size = int(np.prod(shape, dtype=np.int64))
    buffer = np.empty(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(bool).reshape(shape)


class _Scores:
    """Blockwise view of the scores of many arrays."""

    def __init__(self, weights, scales, kept, names):
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

    def values(self, block):
        """The kept weights of a block."""
        part = self.flat[block.array][block.start : block.stop]
        kept = self.kept[block.array]
        return part if kept is None else part[kept[block.start : block.stop]]

    def first_kept(self):
        for block in self.blocks:
            values = self.values(block)
            if values.size:
                return float(values[0])
        return 0.0

    def magnitudes(self, block):
        """|w| of a block, -1 where already pruned: float32 or float64."""
        part = self.flat[block.array][block.start : block.stop]
        dtype = self.dtypes[block.array]
        magnitude = np.abs(part) if part.dtype == dtype else np.abs(part.astype(dtype))
        if self.kept[block.array] is not None:
            np.copyto(magnitude, PRUNED, where=~self.kept[block.array][block.start : block.stop])
        return magnitude

    def threshold(self, k, sample=SAMPLE):
        if not 0 <= k <= self.size:
            raise ValueError(f"k must be in [0, {self.size}], the number of weights; got {k}")
        if self.size == 0:
            return Threshold(-np.inf, 0)
        rank = max(k, 1)  # k = 0 makes the pass too: it is what finds a NaN
        sampled = np.sort(self._sample(sample))
        # Five standard deviations of the sampled rank of the threshold: one bracket in 10^6 misses, and is then
        # widened.
        quantile = rank / self.size
        margin = 0 if sampled.size == self.size else 5 * np.sqrt(sampled.size * quantile * (1 - quantile)) + 5
        while True:
            place = quantile * sampled.size - 1
            low, high = round(place - margin), round(place + margin)
            bracket = sampled[low] if low >= 0 else PRUNED, sampled[high] if high < sampled.size else np.inf
            found = self._select(rank, *bracket)
            if found is not None:
                return found if k else Threshold(-np.inf, 0)
            margin = 4 * margin + 4

    def _sample(self, size):
        """All scores if there are at most `size`, else about `size` at random places, in every array its share."""
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

    def _select(self, rank, low, high):
        """The threshold of `rank` if it lies in [low, high], else None."""
        ends = [(_last(low, False, s, d), _last(high, True, s, d)) for s, d in zip(self.scales, self.dtypes)]

        def split(block):
            magnitude = self.magnitudes(block)
            if np.isnan(magnitude.max()):
                raise ValueError(self._describe_nan(block, magnitude))
            to_low, below_high = ends[block.array]
            outside = magnitude <= to_low
            between = magnitude[(magnitude <= below_high) > outside]
            return np.count_nonzero(outside), _score(between, self.scales[block.array])

        counts, between = zip(*_run(split, self.blocks))
        n_low, between = sum(counts), np.concatenate(between)
        place = rank - n_low
        if 0 < place <= between.size:
            between.partition(place - 1)
            score = between[place - 1]
            return Threshold(float(score), int(place - np.count_nonzero(between < score)))
        # At an end of the bracket, where any number of scores may be equal: they are counted, not collected.
        if place <= 0:
            n_below = self._count(low, strict=True)
            return Threshold(float(low), rank - n_below) if rank > n_below else None
        n_below = self._count(high, strict=True)
        return Threshold(float(high), rank - n_below) if rank <= self._count(high, strict=False) else None

    def _count(self, score, strict):
        """How many scores are below `score`, or equal to it unless `strict`."""
        ends = [_last(score, strict, s, d) for s, d in zip(self.scales, self.dtypes)]
        counts = _run(lambda block: np.count_nonzero(self.magnitudes(block) <= ends[block.array]), self.blocks)
        return sum(counts)

    def _describe_nan(self, block, magnitude):
        index = block.start + int(np.flatnonzero(np.isnan(magnitude))[0])
        place = [int(i) for i in np.unravel_index(index, self.shapes[block.array])]
        return f"weight {place} of {self.names[block.array]!r} is NaN; it has no magnitude to rank"

    def masks(self, limit):
        """Keep-masks of the weights above a `Threshold`, and not pruned before."""
        score, ties = limit
        below = [_last(score, True, s, d) for s, d in zip(self.scales, self.dtypes)]
        equal = [_last(score, False, s, d) for s, d in zip(self.scales, self.dtypes)]
        masks = [aligned_empty(shape) for shape in self.shapes]
        flat = [mask.reshape(-1) for mask in masks]

        def fill(block):
            """Keep every tie for now; count them."""
            n, start, stop = block
            magnitude = self.magnitudes(block)
            keep = np.greater(magnitude, max(below[n], PRUNED), out=flat[n][start:stop])
            if below[n] == equal[n] or equal[n] < 0:
                return 0
            return np.count_nonzero(keep) - np.count_nonzero(magnitude > equal[n])

        for block, found in zip(self.blocks, _run(fill, self.blocks)):
            if score < 0 or ties == 0:
                continue
            n, start, stop = block
            if 0 < found <= ties:
                np.greater(self.magnitudes(block), equal[n], out=flat[n][start:stop])
            elif found:
                keep = flat[n][start:stop]
                tied = np.flatnonzero(keep & (self.magnitudes(block) <= equal[n]))
                keep[tied[:ties]] = False
            ties -= min(found, ties)
        return masks


def _score(magnitude, scale):
    """float64 scores of magnitudes; -1 stays -1."""
    score = magnitude.astype(np.float64)
    if scale == 0:
        return np.where(score < 0, PRUNED, np.inf)
    if scale != 1:
        np.divide(score, scale, out=score, where=score >= 0)
    return score


def _last(score, strict, scale, dtype):
    """The largest magnitude that scores below `score` (or the same, unless `strict`), a scalar of `dtype`; -2 if none.

    Division rounds monotonically, so the scores up to `score` are the magnitudes up to this one: found by bisection on
    the bits, it lets a block be compared in its own dtype and gives the same answer as comparing every float64 score.
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


def _run(function, blocks):
    """Results of `function` over blocks, in order; on all cores, as NumPy works outside the interpreter lock."""
    workers = min(os.cpu_count() or 1, 16, len(blocks) // 4)
    if workers < 2:
        return [function(block) for block in blocks]
    share = -(-len(blocks) // (8 * workers))  # a task for each block would cost more than the block
    parts = [blocks[start : start + share] for start in range(0, len(blocks), share)]
    with ThreadPoolExecutor(workers) as pool:
        done = pool.map(lambda part: [function(block) for block in part], parts)
        return [result for part in done for result in part]
