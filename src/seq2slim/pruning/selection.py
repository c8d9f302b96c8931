"""Exact selection of the k smallest scores over many concrete arrays, in blocks, without sorting or copying them.

Scores are those of `scores`. Equal scores go in order of position: array by array, and by C-order index within one
array. `selection_traced` does the same under jit.

A random sample brackets the threshold; one pass counts the scores outside and collects those inside. For 216M
float32 weights in 12 arrays, on a shared machine of 2 cores, that took 0.25-0.39 s, masks included 0.45-0.76 s.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2slim.pruning.scores import PRUNED, Block, Scores

SAMPLE = 1 << 17  # scores sampled to bracket the threshold


class Threshold(NamedTuple):
    """All scores below `score` are pruned, and the first `ties` by position of those equal to it."""

    score: float
    ties: int


def keep_largest(weights: Sequence, k: int, scales=None, kept=None, names=None) -> list[np.ndarray]:
    """Masks that prune exactly the k smallest scores, and whatever was pruned before.

    Args:
      weights: concrete floating arrays of any shapes.
      k: how many to prune, 0 <= k <= N; if `kept` has pruned more already, those are the ones pruned.
      scales: |w| is divided by these, one float per array, in [0, inf); 1 where None.
      kept: existing masks, bool arrays of the same shapes or scalars ("all kept"); None keeps all.
      names: of the arrays, for errors.
    Returns: bool arrays of the same shapes, True keeps; freshly allocated.
    Raises: ValueError for a NaN weight that was not pruned before, or k outside [0, N].
    """
    scores = Scores(weights, scales, kept, names)
    return _masks(scores, _threshold(scores, k, SAMPLE))


def threshold(weights: Sequence, k: int, scales=None, kept=None, names=None, sample: int = SAMPLE) -> Threshold:
    """The threshold that prunes exactly the k smallest scores; arguments and errors as in `keep_largest`."""
    return _threshold(Scores(weights, scales, kept, names), k, sample)


def deviation(weights: Sequence, kept=None) -> float:
    """Population standard deviation of all kept weights of several arrays, mean subtracted, accumulated in float64.

    Blocks are merged by the update of Chan, Golub and LeVeque (1983). Weights are shifted by the first one beforehand,
    so equal weights give exactly 0.

    Args: weights, kept: as in `keep_largest`.
    Returns: sigma >= 0; 0 if nothing is kept; NaN or infinity if a kept weight is not finite.
    """
    scores = Scores(weights, kept=kept)
    shift = scores.first_kept()

    def moments(block):
        values = scores.values(block).astype(np.float64)
        if values.size == 0:
            return 0, 0.0, 0.0
        values -= shift
        mean = values.mean()
        values -= mean
        return values.size, mean, np.square(values, out=values).sum()

    count, mean, squares = 0, 0.0, 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        for n_b, mean_b, squares_b in scores.map(moments):
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


def _threshold(scores: Scores, k: int, sample: int) -> Threshold:
    if not 0 <= k <= scores.size:
        raise ValueError(f"k must be in [0, {scores.size}], the number of weights; got {k}")
    if scores.size == 0:
        return Threshold(-np.inf, 0)
    rank = max(k, 1)  # also for k = 0: this pass finds a NaN
    sampled = np.sort(scores.sample(sample))
    # Five standard deviations of the sampled rank of the threshold: one bracket in 10^6 misses and has to be widened.
    quantile = rank / scores.size
    margin = 0 if sampled.size == scores.size else 5 * np.sqrt(sampled.size * quantile * (1 - quantile)) + 5
    while True:
        place = quantile * sampled.size - 1
        low, high = round(place - margin), round(place + margin)
        bracket = sampled[low] if low >= 0 else PRUNED, sampled[high] if high < sampled.size else np.inf
        found = _select(scores, rank, *bracket)
        if found is not None:
            return found if k else Threshold(-np.inf, 0)
        margin = 4 * margin + 4


def _select(scores: Scores, rank: int, low: float, high: float) -> Threshold | None:
    """The threshold of `rank` if it lies in [low, high], else None."""
    to_low, below_high = scores.limits(low, strict=False), scores.limits(high, strict=True)

    def split(block: Block):
        magnitude = scores.magnitudes(block)
        if np.isnan(magnitude.max()):
            raise ValueError(scores.describe_nan(block, magnitude))
        outside = magnitude <= to_low[block.array]
        between = magnitude[(magnitude <= below_high[block.array]) > outside]
        return np.count_nonzero(outside), scores.of(block, between)

    counts, between = zip(*scores.map(split))
    n_low, between = sum(counts), np.concatenate(between)
    place = rank - n_low
    if 0 < place <= between.size:
        between.partition(place - 1)
        score = between[place - 1]
        return Threshold(float(score), int(place - np.count_nonzero(between < score)))
    # The threshold is an end of the bracket. Any number of scores may be equal to it: count them, do not collect them.
    if place <= 0:
        n_below = scores.count(low, strict=True)
        return Threshold(float(low), rank - n_below) if rank > n_below else None
    n_below = scores.count(high, strict=True)
    return Threshold(float(high), rank - n_below) if rank <= scores.count(high, strict=False) else None


def _masks(scores: Scores, limit: Threshold) -> list[np.ndarray]:
    """Masks that keep the weights above a threshold that were not pruned before."""
    score, ties = limit
    below, equal = scores.limits(score, strict=True), scores.limits(score, strict=False)
    masks = [aligned_empty(shape) for shape in scores.shapes]
    flat = [mask.reshape(-1) for mask in masks]

    def fill(block: Block):
        """Keeps all ties for now; returns their number."""
        n, start, stop = block
        magnitude = scores.magnitudes(block)
        keep = np.greater(magnitude, max(below[n], PRUNED), out=flat[n][start:stop])
        if below[n] == equal[n] or equal[n] < 0:
            return 0
        return np.count_nonzero(keep) - np.count_nonzero(magnitude > equal[n])

    for block, found in zip(scores.blocks, scores.map(fill)):
        if score < 0 or ties == 0:
            continue
        n, start, stop = block
        if 0 < found <= ties:
            np.greater(scores.magnitudes(block), equal[n], out=flat[n][start:stop])
        elif found:
            keep = flat[n][start:stop]
            tied = np.flatnonzero(keep & (scores.magnitudes(block) <= equal[n]))
            keep[tied[:ties]] = False
        ties -= min(found, ties)
    return masks
