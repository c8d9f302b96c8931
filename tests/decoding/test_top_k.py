"""Two-level top-k against a stable sort."""

import jax
import numpy as np
import pytest

from seq2slim.decoding.top_k import DIRECT, top_k


def stable_sort(values, k):
    index = np.argsort(-values, axis=-1, kind="stable")[:, :k]
    return np.take_along_axis(values, index, axis=-1), index


@pytest.mark.parametrize("group", [None, 1, 7, 32, 5000])
@pytest.mark.parametrize("count", [DIRECT - 1, 2 * DIRECT + 3])
def test_equals_stable_sort_with_ties_and_dead_candidates(group, count):
    rng = np.random.default_rng(count)
    coarse = rng.integers(-6, 4, (6, count)).astype(np.float32)  # 10 values only: nearly all are ties
    coarse[1] = -np.inf
    coarse[2, 3:] = -np.inf  # fewer alive than k
    coarse[3, :-2] = -np.inf  # the alive ones last
    coarse[4] = rng.normal(size=count)
    coarse[5] = 0.0
    for k in (1, 5):
        values, index = jax.jit(top_k, static_argnums=(1, 2))(coarse, k, group)
        expected_values, expected_index = stable_sort(coarse, k)
        np.testing.assert_array_equal(index, expected_index)
        np.testing.assert_array_equal(values, expected_values)


def test_all_candidates_asked():
    values = np.float32([[1, 3, 3, -np.inf]])
    _, index = top_k(values, 4, group=2)
    np.testing.assert_array_equal(index, [[1, 2, 0, 3]])


def test_refuses_what_it_cannot_give():
    with pytest.raises(ValueError, match=r"1\.\.3.*got 4"):
        top_k(np.zeros((1, 3), np.float32), 4)
    with pytest.raises(ValueError, match="group"):
        top_k(np.zeros((1, 3), np.float32), 1, group=0)
