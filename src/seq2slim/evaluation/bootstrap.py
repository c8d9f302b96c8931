"""Paired bootstrap resampling of two systems, for any score of a whole test set."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from seq2slim.errors import UserError

SEED = 12345  # that of sacreBLEU


class Interval(NamedTuple):
    """The score of one system with its bootstrap estimate."""

    score: float  # on the whole test set
    mean: float  # over the resamples
    half_width: float  # the 95% confidence interval is mean +- half_width


class PairedBootstrap(NamedTuple):
    """Two systems on one test set."""

    baseline: Interval
    system: Interval
    p_value: float  # null hypothesis: no difference between them
    signature: str  # what makes the scores comparable, with seed and number of resamples


def compare_systems(
    score: Callable[[Sequence[str], Sequence[str]], float],
    baseline: Sequence[str],
    system: Sequence[str],
    references: Sequence[str],
    samples: int = 1000,
) -> PairedBootstrap:
    """Paired bootstrap resampling (Koehn 2004) as sacreBLEU does it, with the same draws.

    d_i is the absolute difference of the two scores on resample i, d that on the test set. The p-value is the share of
    resamples with d_i - mean(d_i) > d, which themselves count as one more; it is 1 for two equal scores.

    Args:
      score: (hypotheses, references) -> the score; called twice per resample.
      baseline, system, references: lines in the same order.
      samples: resamples of the test set.
    Raises: UserError if the line counts differ or are 0, or samples is below 1.
    """
    lines = [np.array(list(side), object) for side in (baseline, system, references)]
    if len({len(side) for side in lines}) != 1 or not len(references):
        raise UserError(f"as many lines are needed of each, and at least one; got {[len(side) for side in lines]}")
    if samples < 1:
        raise UserError(f"samples must be at least 1, got {samples}")
    draws = np.random.default_rng(SEED).choice(len(references), size=(samples, len(references)))
    own, other = (np.array([score(list(side[draw]), list(lines[2][draw])) for draw in draws]) for side in lines[:2])
    first, second = (_interval(score(list(side), list(references)), found) for side, found in zip(lines, (own, other)))
    apart = np.abs(own - other)
    larger = int((apart - apart.mean() > abs(first.score - second.score)).sum())
    p_value = 1.0 if first.score == second.score else (larger + 1) / (samples + 1)
    return PairedBootstrap(first, second, p_value, f"bs:{samples}|seed:{SEED}")


def _interval(score: float, resampled: np.ndarray) -> Interval:
    ordered = np.sort(resampled)
    cut = len(ordered) // 40
    return Interval(float(score), float(ordered.mean()), float(ordered[len(ordered) - cut - 1] - ordered[cut]) / 2)
