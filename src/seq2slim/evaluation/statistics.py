"""What a handful of numbers allows one to say: spread over seeds, rank correlation, noise, the shape of a curve."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Spread(NamedTuple):
    """Repeated measurements: mean, and sample standard deviation (n - 1); nan for a single one."""

    mean: float
    deviation: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation over seeds. Raises: ValueError for no value."""
    values = np.asarray(list(values), np.float64)
    if not values.size:
        raise ValueError("the spread of no value is undefined")
    return Spread(float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else math.nan, values.size)


# Student's t, two-sided 95%, of 1, 2, ... degrees of freedom; beyond the table its last value, a little too wide.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


class Noise(NamedTuple):
    """How far a difference goes from one seed to the next, pooled over several differences.

    Attributes: deviation: of one difference, from seed to seed. freedom: degrees of freedom behind it.
    """

    deviation: float
    freedom: int

    def of(self, seeds: int) -> float:
        """Half the width of the 95% interval of a mean difference over so many seeds: what is less is noise."""
        return _STUDENT[min(self.freedom, len(_STUDENT)) - 1] * self.deviation / math.sqrt(seeds)


def pooled_noise(differences: Sequence[Sequence[float]]) -> Noise | None:
    """Noise from repeated differences: sqrt(sum of squared deviations from each one's own mean / sum of (n - 1)).

    Args: differences: for each comparison its differences, one a seed.
    Returns: None if no comparison has two seeds: the noise is then not known.
    """
    repeated = [np.asarray(own, np.float64) for own in differences if len(own) > 1]
    if not repeated:
        return None
    freedom = sum(own.size - 1 for own in repeated)
    squares = sum(float(np.square(own - own.mean()).sum()) for own in repeated)
    return Noise(math.sqrt(squares / freedom), freedom)


def ranks(values: Sequence[float]) -> np.ndarray:
    """float64[n]: ranks from 1 in ascending order; equal values share the mean of their ranks."""
    values = np.asarray(values, np.float64)
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[where]


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rank correlation: Pearson's of the ranks, in [-1, 1]; nan if either side is constant.

    Raises: ValueError if the lengths differ, or are below 2.
    """
    if len(x) != len(y) or len(x) < 2:
        raise ValueError(f"a correlation needs pairs, at least two; got {len(x)} and {len(y)} values")
    a, b = (r - r.mean() for r in (ranks(x), ranks(y)))
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale else math.nan


def permutation_p(x: Sequence[float], y: Sequence[float], samples: int = 10_000, seed: int = 0) -> float:
    """One-sided p-value of a positive rank correlation: the share of `samples` random pairings at least as high.

    The pairing observed counts as one of them, so p is at least 1 / (samples + 1); nan where `spearman` is.
    """
    observed = spearman(x, y)
    if math.isnan(observed):
        return math.nan
    a, b = (r - r.mean() for r in (ranks(x), ranks(y)))
    draws = np.random.default_rng(seed).permuted(np.tile(b, (samples, 1)), axis=1) @ a
    return (1 + int((draws >= float(a @ b) - 1e-9).sum())) / (samples + 1)


def knee(percents: Sequence[float], losses: Sequence[float], allowed: float) -> float:
    """The largest percentage up to which no more than `allowed` is lost, linear between the points measured.

    Args: percents: ascending. losses: what is lost at each. Returns: the last percentage if it is never lost.
    Raises: ValueError if nothing was measured, or more than `allowed` is lost at the first percentage.
    """
    points = list(zip(percents, losses, strict=True))
    if not points or points[0][1] > allowed:
        raise ValueError(f"the first point must lose at most {allowed}, got {points[:1]}")
    for (before, low), (after, high) in itertools.pairwise(points):
        if high > allowed:
            return before + (after - before) * (allowed - low) / (high - low)
    return points[-1][0]


class Growth(NamedTuple):
    """How a quantity grows: y = a exp(b x) against y = c x, each with its share of the variance explained."""

    rate: float  # b, per unit of x
    exponential: float  # R^2 of the exponential, in y itself
    straight: float  # R^2 of the line through the origin, in y itself


def growth(x: Sequence[float], y: Sequence[float]) -> Growth:
    """Whether y grows exponentially in x or in proportion to it.

    Both curves are the least squares of y itself, and both R^2 are of y, 1 - SSE / SST, so that neither is judged on
    another scale than it was fitted on. For a given b the best a is known; b is searched for where the exponential
    changes at most by e^+-30 over the range of x.

    Raises: ValueError for fewer than 3 points, or if all x are equal.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) < 3 or np.ptp(x) == 0:
        raise ValueError(f"a growth needs 3 points, not all of one x; got {list(zip(x, y))}")

    def fitted(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(curves [rates, n], their squared errors [rates])."""
        exponent = rates[:, None] * x
        curve = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        curve *= (curve @ y / np.square(curve).sum(axis=1))[:, None]
        return curve, np.square(curve - y).sum(axis=1)

    rate, width = 0.0, 30 / float(np.ptp(x))
    while width > 1e-9 / float(np.ptp(x)):  # each time between the neighbours of the best of 201
        rates = rate + np.linspace(-width, width, 201)
        rate, width = float(rates[fitted(rates)[1].argmin()]), width / 100
    total = float(np.square(y - y.mean()).sum())

    def explained(errors: float) -> float:
        return 1 - float(errors) / total if total else math.nan

    line = np.square(y - x * float(x @ y) / float(x @ x)).sum()
    return Growth(rate, explained(fitted(np.array([rate]))[1][0]), explained(line))
