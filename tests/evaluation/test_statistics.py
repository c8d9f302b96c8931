"""Statistics against scipy, exact enumeration and closed forms."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from seq2slim.evaluation.statistics import growth, knee, permutation_p, pooled_noise, ranks, spearman, spread

few = st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=8)


def test_spread_is_of_a_sample():
    found = spread([1.0, 2.0, 6.0])
    assert found.mean == 3
    assert found.deviation == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert math.isnan(spread([4.0]).deviation)
    with pytest.raises(ValueError, match="no value"):
        spread([])


@given(few)
def test_ranks_share_ties_as_scipy_does(values):
    np.testing.assert_array_equal(ranks(values), scipy.stats.rankdata(values))


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=8))
def test_rank_correlation_is_that_of_scipy(pairs):
    x, y = zip(*pairs)
    found = spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(found)
        assert math.isnan(permutation_p(x, y, samples=2))
    else:
        assert found == pytest.approx(scipy.stats.spearmanr(x, y).statistic)


def test_a_correlation_needs_pairs():
    with pytest.raises(ValueError, match="1 and 1"):
        spearman([1], [2])


@pytest.mark.parametrize("y", [(1, 2, 3, 5, 4), (2, 1, 5, 4, 3), (5, 4, 3, 2, 1), (1, 1, 2, 2, 3)])
def test_p_is_the_share_of_pairings_at_least_as_correlated(y):
    x = (10, 20, 30, 40, 50)
    every = [spearman(x, other) for other in itertools.permutations(y)]
    exact = np.mean([rho >= spearman(x, y) - 1e-12 for rho in every])
    assert permutation_p(x, y) == pytest.approx(exact, abs=0.02)  # 4 standard errors of 10,000 draws


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


def test_noise_is_the_half_width_of_students_interval():
    found = pooled_noise([[1.0, 2.0, 3.0], [0.0, 4.0], [7.0]])
    assert found.freedom == 3
    assert found.deviation == pytest.approx(math.sqrt((1 + 0 + 1 + 4 + 4) / 3))
    for seeds in (1, 3):
        half = scipy.stats.t.ppf(0.975, 3) * found.deviation / math.sqrt(seeds)
        assert found.of(seeds) == pytest.approx(half, rel=1e-3)
    own = [1.2, 1.5, 0.9]  # of one comparison alone it is the usual interval of a mean
    low, high = scipy.stats.t.interval(0.95, 2, np.mean(own), scipy.stats.sem(own))
    assert pooled_noise([own]).of(3) == pytest.approx((high - low) / 2, rel=1e-3)
    assert pooled_noise([[1.0], [2.0]]) is None
