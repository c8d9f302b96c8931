"""Selection on the host against a full stable sort by NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.pruning import selection
from seq2slim.pruning.scores import Scores
from tests.support.sorted_masks import assert_same, normal, sorted_masks, tied

SHAPES = (30, 50), (7,), (4, 5, 6), (1, 1)
SIZE = 1500 + 7 + 120 + 1


@pytest.mark.parametrize("make", [normal, tied])
@pytest.mark.parametrize("k", [0, 1, 700, SIZE - 1, SIZE])
def test_prunes_the_k_smallest_as_a_full_sort_does(make, k):
    weights = make(k, *SHAPES)
    expected = sorted_masks(weights, k)
    assert_same(selection.keep_largest(weights, k), expected)


@pytest.mark.parametrize("k", [0, 100, 600, 1200, SIZE])
def test_earlier_pruned_weights_go_first_and_stay_pruned(k):
    weights = tied(3, *SHAPES)
    rng = np.random.default_rng(4)
    kept = [rng.random(shape) < 0.6 for shape in SHAPES]  # about 650 pruned, of any magnitude
    expected = sorted_masks(weights, k, kept=kept)
    assert_same(selection.keep_largest(weights, k, kept=kept), expected)


@pytest.mark.parametrize("scales", [(0.3, 7.0, 1e-20, 1.0), (0.1, 0.0, 2.0, 0.0), (0.0, 0.0, 0.0, 0.0)])
@pytest.mark.parametrize("k", [1, 900, SIZE - 3])
def test_scaled_scores_rank_as_their_float64_quotients(scales, k):
    weights = tied(5, *SHAPES)
    assert_same(selection.keep_largest(weights, k, scales), sorted_masks(weights, k, scales))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, np.float64])
def test_other_float_types(dtype):
    weights = [w.astype(dtype) for w in normal(7, (40, 30), (9,))]
    expected = sorted_masks(weights, 777)
    assert_same(selection.keep_largest(weights, 777), expected)


def test_float64_that_float32_cannot_tell_apart():
    weights = [np.array([[1 + 3e-12, 1 + 1e-12, 1 + 2e-12, 1.0]])]
    assert_same(selection.keep_largest(weights, 2), [[[True, False, True, False]]])


def test_extreme_magnitudes_keep_their_order():
    weights = [np.array([np.inf, -np.float32(3e38), 1e-45, -0.0, 1e-38, -np.inf, 0.0, 3e-45], np.float32)]
    for k in range(9):
        assert_same(selection.keep_largest(weights, k), sorted_masks(weights, k))


def test_memory_order_does_not_change_positions():
    weights = [np.asfortranarray(tied(8, (40, 30))[0]), tied(9, (30, 40))[0].T]
    assert_same(selection.keep_largest(weights, 1000), sorted_masks(weights, 1000))


@pytest.mark.parametrize("make", [normal, tied])
@pytest.mark.parametrize("k", [1, 5, 200_000, 640_000, 799_990, 800_000])
def test_threshold_from_a_small_sample_over_many_blocks(make, k):
    """200 sampled scores bracket loosely, several blocks run in parallel, and heavy ties straddle blocks and arrays."""
    weights = make(10, (500, 1000), (3,), (299, 1003), (100,))
    k = min(k, sum(w.size for w in weights))
    score, ties = selection.threshold(weights, k, sample=200)
    scores = np.abs(np.concatenate([w.ravel() for w in weights]))
    assert score == np.sort(scores)[k - 1]
    assert np.count_nonzero(scores < score) + ties == k
    assert_same(selection.keep_largest(weights, k), sorted_masks(weights, k))


@pytest.mark.parametrize(("seen", "k"), [(0, 100_000), (1, 40_000)])
def test_a_bracket_that_misses_is_widened(monkeypatch, seen, k):
    """The sample sees one array only, whose weights are all smaller, or all larger, than the threshold."""
    weights = [w * scale for w, scale in zip(normal(11, (300, 300), (300, 300)), (1e-6, 1.0))]
    brackets = []
    select = selection._select

    def spy(scores, rank, low, high):
        brackets.append((low, high))
        return select(scores, rank, low, high)

    monkeypatch.setattr(selection, "_select", spy)
    monkeypatch.setattr(Scores, "sample", lambda self, size: np.abs(weights[seen].ravel()[:size]).astype(float))
    score, ties = selection.threshold(weights, k, sample=500)
    scores = np.abs(np.concatenate([w.ravel() for w in weights]))
    assert score == np.sort(scores)[k - 1]
    assert np.count_nonzero(scores < score) + ties == k
    assert len(brackets) > 1
    assert not brackets[0][0] <= score <= brackets[0][1]


def test_nan_is_named():
    weights = normal(12, (3, 4), (5, 6))
    weights[1][2, 3] = np.nan
    for k in (0, 3, 42):
        with pytest.raises(ValueError, match=r"weight \[2, 3\] of 'decoder/kernel' is NaN"):
            selection.keep_largest(weights, k, names=["encoder/kernel", "decoder/kernel"])


def test_nan_that_was_pruned_before_is_no_error():
    weights = normal(13, (3, 4))
    weights[0][1, 1] = np.nan
    kept = [~np.isnan(weights[0])]
    (mask,) = selection.keep_largest(weights, 6, kept=kept)
    assert not mask[1, 1]
    assert np.count_nonzero(~mask) == 6


@pytest.mark.parametrize("k", [-1, 13])
def test_k_outside_the_weights_is_an_error(k):
    with pytest.raises(ValueError, match=f"k must be in .*got {k}"):
        selection.keep_largest(normal(14, (3, 4)), k)


def test_deviation_is_the_population_deviation_of_all_arrays():
    weights = [w * 3 + 50 for w in normal(15, (700, 1000), (5,), (33, 7))]
    expected = np.std(np.concatenate([w.ravel() for w in weights]).astype(np.float64))
    assert selection.deviation(weights) == pytest.approx(expected, rel=1e-12)


def test_deviation_is_of_kept_weights_only():
    weights = normal(16, (60, 70), (8,))
    kept = [np.abs(w) > 0.5 for w in weights]
    expected = np.std(np.concatenate([w[mask] for w, mask in zip(weights, kept)]).astype(np.float64))
    assert selection.deviation(weights, kept) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_deviation_of_tiny_and_huge_weights(scale):
    weights = [w * np.float32(scale) for w in normal(17, (20, 30))]
    expected = np.std(weights[0].astype(np.float64))
    assert selection.deviation(weights) == pytest.approx(expected, rel=1e-12)


def test_deviation_of_equal_weights_is_exactly_zero():
    weights = [np.full((700, 500), 0.1), np.full(3, 0.1)]
    assert selection.deviation(weights) == 0
    assert selection.deviation(weights, [np.zeros((700, 500), bool), np.zeros(3, bool)]) == 0


def test_masks_are_aligned_for_jax_to_take_over():
    for shape in [(), (1,), (3, 5), (1000, 7)]:
        array = selection.aligned_empty(shape)
        assert array.shape == shape
        assert array.dtype == bool
        assert array.ctypes.data % 64 == 0
