"""Padded shapes against a brute-force search over all chains of shapes."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim.data.shapes import fit_shapes, ladder


def test_ladder():
    assert ladder(1).tolist() == [4]
    assert ladder(20).tolist() == [4, 8, 12, 16, 20]
    long = ladder(1000)
    assert long[long <= 32].tolist() == list(range(4, 33, 4))
    assert (long % 4 == 0).all()
    assert long[-2] < 1000 <= long[-1]
    assert (np.diff(long) > 0).all()
    assert all(ladder(length)[-1] == long[long >= length][0] for length in range(1, 1000, 13))


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=30),
    st.integers(1, 3),
    st.sampled_from([0.5, 1.0, 2.0]),
)
@settings(max_examples=60, deadline=None)
def test_fitted_shapes_pad_the_least(pairs, most, target_cost):
    """Against every chain of even shapes; none this small is lopsided."""
    check_fitted_shapes(pairs, most, target_cost)


@pytest.mark.parametrize("pairs", [[(30, 3)], [(30, 3)] * 20 + [(4, 5), (30, 30)], [(3, 29)] * 9 + [(20, 6), (29, 29)]])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_only_the_last_shape_may_be_lopsided(pairs, most):
    check_fitted_shapes(pairs, most, 2.0)


def check_fitted_shapes(pairs, most, target_cost):
    widths = np.array(pairs)
    shapes = fit_shapes(widths, most, target_cost)
    top = [-(-int(longest) // 2) * 2 for longest in widths.max(axis=0)]
    grid = itertools.product(range(2, top[0] + 1, 2), range(2, top[1] + 1, 2))
    grid = [shape for shape in grid if max(shape) <= 2 * min(shape) + 8]

    def cost(chain):
        total = 0.0
        for pair in pairs:
            first = next(shape for shape in chain if pair[0] <= shape[0] and pair[1] <= shape[1])
            total += first[0] + target_cost * first[1]
        return total

    chains = (
        [*chain, tuple(top)]
        for n in range(most)
        for chain in itertools.combinations(grid, n)
        if all(a <= b and c <= d for (a, c), (b, d) in itertools.pairwise([*chain, tuple(top)]))
    )
    assert len(shapes) <= most
    assert shapes[-1].tolist() == top
    assert all(shape in grid for shape in map(tuple, shapes[:-1].tolist()))
    assert cost(shapes.tolist()) == pytest.approx(min(map(cost, chains)))
