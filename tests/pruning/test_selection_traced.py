"""Selection under jit against a full stable sort by NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.pruning import selection_traced
from tests.support.sorted_masks import assert_same, normal, sorted_masks, tied

JITTED = jax.jit(selection_traced.keep_largest)  # k is traced, so one compilation per set of shapes
SHAPES = (30, 50), (7,), (4, 5, 6), (1, 1)
SIZE = 1500 + 7 + 120 + 1


def test_a_scale_under_jit_is_a_division():
    weights = tied(6, *SHAPES)
    scales = (0.5, 4.0, 0.0, 1.0)  # powers of two: float32 quotients are exact
    assert_same(JITTED(weights, 900, [jnp.float32(s) for s in scales]), sorted_masks(weights, 900, scales))


def test_float64_under_jit():
    weights = [w.astype(np.float64) / 3 for w in normal(18, (20, 30))]
    weights[0][3] = weights[0][2] * (1 + 1e-12)  # apart in float64 only
    with jax.enable_x64(True):
        masks = jax.jit(selection_traced.keep_largest)([jnp.asarray(w) for w in weights], 333)
        assert_same(masks, sorted_masks(weights, 333))
        sigma = jax.jit(selection_traced.deviation)([jnp.asarray(w) for w in weights])
        assert float(sigma) == pytest.approx(np.std(weights[0]), rel=1e-12)


@pytest.mark.parametrize("make", [normal, tied])
@pytest.mark.parametrize("k", [0, 1, 700, SIZE - 1, SIZE])
def test_prunes_the_k_smallest_as_a_full_sort_does(make, k):
    weights = make(k, *SHAPES)
    expected = sorted_masks(weights, k)
    assert_same(JITTED(weights, k), expected)


@pytest.mark.parametrize("k", [0, 100, 600, 1200, SIZE])
def test_earlier_pruned_weights_go_first_and_stay_pruned(k):
    weights = tied(3, *SHAPES)
    rng = np.random.default_rng(4)
    kept = [rng.random(shape) < 0.6 for shape in SHAPES]  # about 650 pruned, of any magnitude
    expected = sorted_masks(weights, k, kept=kept)
    assert_same(JITTED(weights, k, None, kept), expected)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_other_float_types(dtype):
    weights = [w.astype(dtype) for w in normal(7, (40, 30), (9,))]
    expected = sorted_masks(weights, 777)
    assert_same(JITTED([jnp.asarray(w) for w in weights], 777), expected)


def test_deviation_is_the_population_deviation_of_all_arrays():
    weights = [w * 3 + 50 for w in normal(15, (700, 1000), (5,), (33, 7))]
    expected = np.std(np.concatenate([w.ravel() for w in weights]).astype(np.float64))
    assert float(jax.jit(selection_traced.deviation)(weights)) == pytest.approx(expected, rel=1e-5)


def test_deviation_is_of_kept_weights_only():
    weights = normal(16, (60, 70), (8,))
    kept = [np.abs(w) > 0.5 for w in weights]
    expected = np.std(np.concatenate([w[mask] for w, mask in zip(weights, kept)]).astype(np.float64))
    assert float(jax.jit(selection_traced.deviation)(weights, kept)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_deviation_of_tiny_and_huge_weights(scale):
    weights = [w * np.float32(scale) for w in normal(17, (20, 30))]
    expected = np.std(weights[0].astype(np.float64))
    assert float(jax.jit(selection_traced.deviation)(weights)) == pytest.approx(expected, rel=1e-5)


def test_deviation_of_equal_weights_is_exactly_zero():
    weights = [np.full((700, 500), 0.1), np.full(3, 0.1)]
    narrow = [w.astype(np.float32) for w in weights]
    assert float(jax.jit(selection_traced.deviation)(narrow)) == 0
