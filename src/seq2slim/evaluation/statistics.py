"""Statistics of a few measurements: spread over seeds, rank correlation, noise, the shape of a curve."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy  # scipy.stats is slow to import; scipy loads it on first use


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


class Noise(NamedTuple):
    """Standard deviation of a difference over seeds, pooled over several comparisons.

    Attributes: deviation: of the difference at one seed. freedom: degrees of freedom of the estimate.
    """

    deviation: float
    freedom: int

    def of(self, seeds: int) -> float:
        """Half-width of the 95% interval of a mean difference over `seeds` seeds; smaller differences are noise."""
        return float(scipy.stats.t.ppf(0.975, self.freedom)) * self.deviation / math.sqrt(seeds)


def pooled_noise(differences: Sequence[Sequence[float]]) -> Noise | None:
    """Noise from repeated differences: sqrt(sum of squared deviations from each comparison's mean / sum of (n - 1)).

    Args: differences: for each comparison, its difference at each seed.
    Returns: None if no comparison has two seeds: the noise is then unknown.
    """
    repeated = [np.asarray(own, np.float64) for own in differences if len(own) > 1]
    if not repeated:
        return None
    freedom = sum(own.size - 1 for own in repeated)
    squares = sum(float(np.square(own - own.mean()).sum()) for own in repeated)
    return Noise(math.sqrt(squares / freedom), freedom)


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Spearman's rank correlation: Pearson's of the ranks, in [-1, 1]; nan if either side is constant.

    Equal values share the mean of their ranks.

    Raises: ValueError if the lengths differ, or are below 2.
    """
    if len(x) != len(y) or len(x) < 2:
        raise ValueError(f"a correlation needs at least two pairs; got {len(x)} and {len(y)} values")
    # Pearson by hand and not scipy.stats.spearmanr: published rows keep their bits.
    a, b = (r - r.mean() for r in (scipy.stats.rankdata(x), scipy.stats.rankdata(y)))
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale else math.nan


def permutation_p(x: Sequence[float], y: Sequence[float], samples: int = 50_000, seed: int = 0) -> float:
    """One-sided p-value of a positive rank correlation: the share of pairings of x with y at least as correlated.

    All n! pairings of n points are compared if they are at most `samples` (8 points by default). Otherwise `samples`
    random ones are; the observed pairing then counts as one more, so p is at least 1 / (samples + 1). nan where
    `spearman` is.
    """
    if math.isnan(spearman(x, y)):
        return math.nan
    # Ranks are multiples of 1/2, so their products are exact and ties are ties. The sum grows with the correlation.
    a, b = scipy.stats.rankdata(x), scipy.stats.rankdata(y)
    test = scipy.stats.permutation_test(
        (a,),
        lambda a, axis: a @ b,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=samples,
        alternative="greater",
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def knee(percents: Sequence[float], losses: Sequence[float], allowed: float) -> float:
    """The largest percentage up to which at most `allowed` is lost, by linear interpolation between the points.

    Args: percents: ascending. losses: the loss at each.
    Returns: the last percentage if more than `allowed` is never lost.
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
    """Fits of y = a exp(b x) and of y = c x, each with its share of the variance explained."""

    rate: float  # b, per unit of x
    exponential: float  # R^2 of the exponential, in y itself
    straight: float  # R^2 of the line through the origin, in y itself


def growth(x: Sequence[float], y: Sequence[float]) -> Growth:
    """Whether y grows exponentially in x or in proportion to it.

    Both curves are least-squares fits of y itself (not of log y), and both R^2 = 1 - SSE / SST are of y. For a given b
    the best a has a closed form; b is searched for where the exponential changes at most by e^+-30 over the range of x.

    Raises: ValueError for fewer than 3 points, or if all x are equal.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) < 3 or np.ptp(x) == 0:
        raise ValueError(f"growth needs at least 3 points, not all of one x; got {list(zip(x, y))}")

    def fitted(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(curves [rates, n], their squared errors [rates])."""
        exponent = rates[:, None] * x
        curve = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        curve *= (curve @ y / np.square(curve).sum(axis=1))[:, None]
        return curve, np.square(curve - y).sum(axis=1)

    rate, width = 0.0, 30 / float(np.ptp(x))
    while width > 1e-9 / float(np.ptp(x)):  # narrows to the neighbours of the best of 201 rates
        rates = rate + np.linspace(-width, width, 201)
        rate, width = float(rates[fitted(rates)[1].argmin()]), width / 100
    total = float(np.square(y - y.mean()).sum())

    def explained(errors: float) -> float:
        return 1 - float(errors) / total if total else math.nan

    line = np.square(y - x * float(x @ y) / float(x @ x)).sum()
    return Growth(rate, explained(fitted(np.array([rate]))[1][0]), explained(line))
