"""Statistics against loops over ranks, enumerations of all pairings, printed tables and closed forms."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats  # noqa: F401 - `statistics` imports it on first use, which would exceed the deadline of a test
from hypothesis import given
from hypothesis import strategies as st

from seq2slim.evaluation.statistics import Noise, growth, knee, permutation_p, pooled_noise, spearman, spread

points = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=7)


def rank_correlation(x, y):
    """Pearson's correlation of the ranks; the rank of a value is the mean of the places that its equals take."""
    ranks = [[sum(b < a for b in own) + (sum(b == a for b in own) + 1) / 2 for a in own] for own in (x, y)]
    a, b = ([rank - sum(own) / len(own) for rank in own] for own in ranks)
    scale = math.sqrt(sum(u * u for u in a) * sum(v * v for v in b))
    return sum(u * v for u, v in zip(a, b)) / scale if scale else math.nan


def share_of_pairings(x, y):
    """Share of all n! pairings of x with y whose rank correlation is at least the observed one."""
    observed = rank_correlation(x, y)
    return np.mean([rank_correlation(x, other) >= observed - 1e-12 for other in itertools.permutations(y)])


def test_spread_is_of_a_sample():
    found = spread([1.0, 2.0, 6.0])
    assert found.mean == 3
    assert found.deviation == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert math.isnan(spread([4.0]).deviation)
    with pytest.raises(ValueError, match="no value"):
        spread([])


@given(points)
def test_spearman_is_pearsons_correlation_of_the_ranks(pairs):
    x, y = zip(*pairs)
    assert spearman(x, y) == pytest.approx(rank_correlation(x, y), abs=1e-12, nan_ok=True)


def test_a_correlation_needs_pairs():
    with pytest.raises(ValueError, match="1 and 1"):
        spearman([1], [2])


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=5))
def test_p_of_few_points_is_the_share_of_all_pairings(pairs):
    x, y = zip(*pairs)
    if math.isnan(rank_correlation(x, y)):
        assert math.isnan(permutation_p(x, y))
    else:
        assert permutation_p(x, y) == pytest.approx(share_of_pairings(x, y))


@pytest.mark.parametrize("y", [(2, 1, 4, 3, 5, 7, 6), (1, 1, 2, 2, 3, 3, 0)])
def test_p_of_many_points_is_the_share_of_random_pairings(y):
    x, samples = range(7), 4000  # fewer than 7! = 5040
    exact = share_of_pairings(x, y)
    found = permutation_p(x, y, samples=samples)
    assert found == permutation_p(x, y, samples=samples)
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / samples))
    assert (found * (samples + 1)) == pytest.approx(round(found * (samples + 1)))  # the observed pairing counts too
    ascending = range(20)
    assert permutation_p(ascending, ascending, samples=99) == pytest.approx(1 / 100)
    assert permutation_p(ascending, ascending[::-1], samples=99) == 1


def test_knee_is_where_the_line_between_two_points_crosses():
    percents, losses = (0, 20, 40, 60), (0.0, -0.1, 0.4, 2.4)
    assert knee(percents, losses, 0.4) == 40
    assert knee(percents, losses, 0.9) == pytest.approx(45)
    assert knee(percents, losses, 5) == 60
    with pytest.raises(ValueError, match="first point"):
        knee((0, 10), (0.5, 1), 0.2)


def test_growth_tells_an_exponential_from_a_line():
    x = np.arange(10, 100, 10.0)
    found = growth(x, 0.01 * np.exp(0.06 * x))
    assert found.rate == pytest.approx(0.06)
    assert found.exponential == pytest.approx(1)
    assert found.straight < 0.8
    found = growth(x, 0.3 * x)
    assert found.straight == pytest.approx(1)
    assert found.exponential < 1
    # Small values that noise has blurred, one of them below 0, do not bend the fit of the large ones.
    blurred = growth(x, np.array([-0.01, 0.06, 0.0, 0.04, -0.02, 0.05, 0, 0, 0]) + 0.001 * np.exp(0.1 * x))
    assert blurred.rate == pytest.approx(0.1, abs=1e-3)
    assert blurred.exponential > 0.999
    with pytest.raises(ValueError, match="3 points"):
        growth([1, 2], [1, 2])
    with pytest.raises(ValueError, match="one x"):
        growth([2, 2, 2], [1, 2, 3])


@given(st.lists(st.integers(-50, 50), min_size=4, max_size=6))
def test_growth_is_the_least_squares_over_a_grid_of_rates(y):
    x = np.arange(1.0, len(y) + 1)
    y = np.array(y, np.float64)
    if not np.ptp(y):
        return
    found = growth(x, y)
    for rate in np.linspace(-5, 5, 41):
        curve = np.exp(rate * (x - x[-1]))
        error = np.square(y - curve * (curve @ y) / (curve @ curve)).sum()
        assert 1 - error / np.square(y - y.mean()).sum() <= found.exponential + 1e-3


# Student's t, two-sided 95%, as tables print it.
T_TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 5: 2.571, 10: 2.228, 30: 2.042, 120: 1.980}


@pytest.mark.parametrize(("freedom", "quantile"), T_TABLE.items())
def test_noise_is_the_half_width_of_students_interval(freedom, quantile):
    assert Noise(1.0, freedom).of(1) == pytest.approx(quantile, abs=5e-4)
    assert Noise(0.3, freedom).of(4) == pytest.approx(0.3 * quantile / 2, abs=5e-4)


def test_noise_is_pooled_over_comparisons():
    found = pooled_noise([[1.0, 2.0, 3.0], [0.0, 4.0], [7.0]])
    assert found.freedom == 3
    assert found.deviation == pytest.approx(math.sqrt((1 + 0 + 1 + 4 + 4) / 3))
    assert pooled_noise([[1.2, 1.5, 0.9]]).deviation == pytest.approx(0.3)
    assert pooled_noise([[1.0], [2.0]]) is None
