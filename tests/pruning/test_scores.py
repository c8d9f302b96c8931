"""Blockwise scores against the scores of all weights at once, in float64 numpy."""

import numpy as np
import pytest

from seq2slim.pruning import scores
from seq2slim.pruning.scores import PRUNED, Scores

SHAPES = (6, 5), (0,), (11,), (2, 3, 4)
SCALES = (0.3, 1.0, 0.0, 7.0)


def draw(dtypes=(np.float32,) * 4):
    """Weights with many ties, and masks."""
    rng = np.random.default_rng(0)
    weights = [(rng.integers(-4, 5, shape) / 3).astype(dtype) for shape, dtype in zip(SHAPES, dtypes)]
    return weights, [rng.random(shape) < 0.7 for shape in SHAPES]


def plain(weights, scales, kept):
    """float64 scores of all weights in one flat array."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [np.abs(w.astype(np.float64)) / s if s else np.full(w.shape, np.inf) for w, s in zip(weights, scales)]
    return np.concatenate([np.where(mask, score, PRUNED).ravel() for score, mask in zip(found, kept)])


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(scores, "BLOCK", 4)


def test_blocks_hold_every_score_once_and_in_order(small_blocks):
    weights, kept = draw()
    view = Scores(weights, SCALES, kept)
    found = view.map(lambda block: view.of(block, view.magnitudes(block)))
    assert max(map(len, found)) == 4
    np.testing.assert_array_equal(np.concatenate(found), plain(weights, SCALES, kept))
    assert view.size == sum(w.size for w in weights)


@pytest.mark.parametrize("strict", [False, True])
def test_counts_are_those_of_a_comparison(small_blocks, strict):
    weights, kept = draw()
    view, wanted = Scores(weights, SCALES, kept), plain(weights, SCALES, kept)
    for score in [-2.0, PRUNED, 0.0, 1e-9, np.inf, *np.unique(wanted), *(np.unique(wanted) * (1 + 1e-15))]:
        assert view.count(score, strict) == np.count_nonzero(wanted < score if strict else wanted <= score), score


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 0.1, 3.7])
def test_limits_are_the_last_magnitude_below_a_score(dtype, scale):
    weights = [np.array([1.0], dtype)]
    view = Scores(weights, [scale])
    wide = np.float64 if dtype is np.float64 else np.float32
    for strict in (False, True):
        (limit,) = view.limits(0.77, strict)
        following = np.nextafter(limit, np.array(np.inf, wide))
        assert limit.dtype == wide
        assert np.float64(limit) / scale <= 0.77 < np.float64(following) / scale or (
            strict and np.float64(limit) / scale < 0.77 <= np.float64(following) / scale
        )


def test_a_small_sample_is_of_true_scores_and_a_large_one_has_all():
    weights, kept = draw()
    view, wanted = Scores(weights, SCALES, kept), plain(weights, SCALES, kept)
    np.testing.assert_array_equal(view.sample(wanted.size), wanted)
    small = view.sample(20)
    assert 20 <= len(small) < 20 + len(weights)
    assert set(small) <= set(wanted)


def test_the_first_kept_weight():
    weights, _ = draw()
    kept = [np.zeros(shape, bool) for shape in SHAPES]
    assert Scores(weights, kept=kept).first_kept() == 0
    kept[2][5] = True
    assert Scores(weights, kept=kept).first_kept() == weights[2][5]


def test_a_nan_is_named_by_its_place():
    weights, _ = draw()
    weights[3][1, 0, 2] = np.nan
    view = Scores(weights, names=list("abcd"))
    block = view.blocks[-1]
    assert "weight [1, 0, 2] of 'd' is NaN" in view.describe_nan(block, view.magnitudes(block))
