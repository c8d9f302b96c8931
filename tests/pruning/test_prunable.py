"""`Prunable`: groups of leaves, exact counts, and pruning against a sort of the scores of each group."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.pruning import NEVER_PRUNED
from seq2slim.pruning.prunable import Prunable, any_traced, uniform_scores

CLASSES = {"a": "left", "b": "right", "bias": NEVER_PRUNED, "c": "left"}
SHAPES = {"a": (4, 5), "b": (6, 3), "bias": (7,), "c": (2, 8)}


def draw(seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


def test_groups_are_the_leaves_of_each_class():
    prunable = Prunable(draw(), CLASSES)
    assert dict(prunable.groups) == {"left": [0, 3], "right": [1]}
    assert prunable.all == [0, 1, 3]
    assert [prunable.size(group) for group in prunable.groups.values()] == [20 + 16, 18]


@pytest.mark.parametrize("scales", [None, [1.0, 1.0, 1.0, 1.0], [0.25, 1.0, 1.0, 8.0]])
def test_each_group_loses_its_lowest_scores(scales):
    params = draw()
    prunable = Prunable(params, CLASSES)
    counts = [(prunable.groups["left"], 10), (prunable.groups["right"], 7)]
    masks = prunable.prune(counts, scales)
    factors = dict(zip(SHAPES, scales or [1.0] * 4))
    for names, k in ((("a", "c"), 10), (("b",), 7)):
        scores = np.concatenate([np.abs(params[name]).ravel() / factors[name] for name in names])
        pruned = np.concatenate([~np.asarray(masks[name]).ravel() for name in names])
        np.testing.assert_array_equal(np.flatnonzero(pruned), np.sort(np.argsort(scores, kind="stable")[:k]))
    assert masks["bias"].shape == ()
    assert masks["bias"]


def test_scores_take_the_place_of_magnitudes():
    params, scores = draw(), {name: np.abs(value) for name, value in draw(1).items()}
    prunable = Prunable(params, CLASSES, scores=scores)
    masks = prunable.prune([(prunable.groups["right"], 5)])
    lowest = np.argsort(scores["b"].ravel())[:5]
    np.testing.assert_array_equal(np.flatnonzero(~np.asarray(masks["b"]).ravel()), np.sort(lowest))
    assert prunable.deviation("right") == pytest.approx(np.std(scores["b"].astype(np.float64)), rel=1e-12)
    assert Prunable(params, CLASSES).deviation("right") == pytest.approx(np.std(params["b"].astype(np.float64)))


def test_shares_are_rounded_in_float64():
    prunable = Prunable({"a": jax.ShapeDtypeStruct((27_000, 8_000), jnp.float32)})
    assert prunable.share([0], 0.8) == ([0], 172_800_000)
    assert round(float(np.float32(0.8)) * 216_000_000) != 172_800_000


@pytest.mark.parametrize(
    ("sparsity", "error", "message"),
    [(1.5, ValueError, "got 1.5"), (-0.1, ValueError, "got -0.1"), (jnp.float32(0.5), TypeError, "Python float")],
)
def test_sparsity_is_a_python_number_in_0_to_1(sparsity, error, message):
    prunable = Prunable(draw(), CLASSES)
    with pytest.raises(error, match=message):
        prunable.share(prunable.all, sparsity)


def test_a_tree_without_weights_to_prune_is_an_error():
    with pytest.raises(ValueError, match="no leaf of params is prunable"):
        Prunable({"bias": np.ones(3, np.float32)})
    with pytest.raises(ValueError, match="class 'left' has no weight"):
        Prunable({"a": np.ones((0, 3), np.float32)}, {"a": "left"})


def test_uniform_scores_are_drawn_from_a_key_per_leaf():
    params = {"a": np.ones((200, 30), np.float32), "b": np.ones((200, 30), np.float32), "bias": np.ones(3, np.float32)}
    scores = uniform_scores(params, jax.random.key(0))
    assert scores["bias"] == 0.0
    for name in ("a", "b"):
        values = np.asarray(scores[name])
        assert (values.shape, values.dtype) == ((200, 30), np.float32)
        assert values.min() >= 0
        assert values.max() < 1
        assert values.mean() == pytest.approx(0.5, abs=0.02)
    assert abs(np.corrcoef(scores["a"].ravel(), scores["b"].ravel())[0, 1]) < 0.05


def test_traced_leaves_are_recognised():
    seen = []
    jax.jit(lambda x: seen.append(any_traced([np.ones(2), x])))(np.ones(2))
    assert seen == [True]
    assert not any_traced([np.ones(2), jnp.ones(2), 0.5])
