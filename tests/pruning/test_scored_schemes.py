"""Schemes given scores in place of magnitudes, against a plain loop; and the registry."""

from typing import get_args

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from seq2slim import pruning

NEVER = pruning.NEVER_PRUNED
SIZES = {"a": (6, 7), "b": (30,), "bias": (9,), "c": (4, 5, 2)}  # in leaf order
CLASSES = {"a": "matrix", "b": "rest", "bias": NEVER, "c": "rest"}
RANKED = ["class_blind", "class_uniform", "class_distribution"]


def draw(seed, ties=False, dtype=np.float32):
    """Non-negative scores of several spreads; with ties, few distinct values, 0 among them."""
    rng = np.random.default_rng(seed)
    scores = {name: rng.exponential(1 + 2 * n, shape) for n, (name, shape) in enumerate(SIZES.items())}
    return jax.tree.map(lambda s: (np.round(s) if ties else s).astype(dtype), scores)


def params(seed=100):
    """Weights that have nothing to do with the scores, a NaN among them: nothing looks at them."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SIZES.items()}
    weights["b"][3] = np.nan
    return weights


def by_a_loop(scheme, scores, sparsity, kept=None):
    """Masks by sorting (score, position) of Python floats; -1 where pruned before."""
    cells = []
    for name, shape in SIZES.items():
        for index in np.ndindex(shape) if CLASSES[name] != NEVER else ():
            alive = kept is None or bool(kept[name][index])
            cells.append((name, index, float(scores[name][index]), alive))
    classes = dict.fromkeys(CLASSES[name] for name, *_ in cells)
    sigma = {c: np.std([s for name, _, s, alive in cells if alive and CLASSES[name] == c] or [0]) for c in classes}

    def rank(cell):
        name, _, score, alive = cell
        if not alive:
            return -1
        if scheme != "class_distribution":
            return score
        return score / sigma[CLASSES[name]] if sigma[CLASSES[name]] else np.inf

    groups = [[c for c in cells if CLASSES[c[0]] == g] for g in classes] if scheme == "class_uniform" else [cells]
    masks = {name: np.ones(() if CLASSES[name] == NEVER else shape, bool) for name, shape in SIZES.items()}
    for group in groups:
        for name, index, *_ in sorted(group, key=rank)[: round(sparsity * len(group))]:
            masks[name][index] = False
    if kept is not None:
        masks = {name: mask & kept[name] for name, mask in masks.items()}
    return masks


def assert_equal(found, expected):
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(np.asarray, found), expected)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("sparsity", [0.0, 0.37, 0.8, 1.0])
@pytest.mark.parametrize("name", RANKED)
def test_masks_are_those_of_a_loop(name, sparsity, ties):
    scores, scheme = draw(1, ties), pruning.SCHEMES[name]
    masks = scheme(params(), sparsity, classes=CLASSES, scores=scores)
    assert_equal(masks, by_a_loop(name, scores, sparsity))
    assert_equal(scheme(params(7), sparsity, classes=CLASSES, scores=jax.tree.map(jnp.asarray, scores)), masks)
    earlier = {n: np.random.default_rng(2).random(mask.shape) < 0.7 for n, mask in masks.items()} | {
        "bias": np.array(True)
    }
    again = scheme(params(), sparsity, classes=CLASSES, scores=scores, masks=earlier)
    assert_equal(again, by_a_loop(name, scores, sparsity, earlier))


@pytest.mark.parametrize("name", RANKED)
def test_jit_gives_the_same_masks(name):
    """Scores traced or not; class_distribution on scores whose float32 quotients are far apart."""
    scores, scheme, weights = draw(3, ties=name != "class_distribution"), pruning.SCHEMES[name], params()
    earlier = scheme(weights, 0.2, classes=CLASSES, scores=draw(4))
    expected = scheme(weights, 0.6, classes=CLASSES, scores=scores, masks=earlier)

    def again(p, m, s):
        return scheme(p, 0.6, classes=CLASSES, masks=m, scores=s)

    assert_equal(jax.jit(again)(weights, earlier, scores), expected)
    assert_equal(jax.jit(lambda p: again(p, earlier, scores))(weights), expected)
    wide = jax.tree.map(lambda s: s.astype(np.float64), scores)
    assert_equal(jax.jit(lambda m: again(weights, m, wide))(earlier), expected)


@pytest.mark.parametrize("name", ["class_blind", "class_uniform"])
def test_magnitudes_as_scores_change_nothing(name):
    weights, scheme = jax.tree.map(np.nan_to_num, params()), pruning.SCHEMES[name]
    for classes in (None, CLASSES):
        found = scheme(weights, 0.55, classes=classes, scores=jax.tree.map(np.abs, weights))
        assert_equal(found, scheme(weights, 0.55, classes=classes))


def test_class_distribution_takes_the_deviation_of_the_scores():
    """All scores of one class are 5, so its deviation is 0 and it goes last; that of its weights is not."""
    scores = draw(5) | {"a": np.full(SIZES["a"], 5, np.float32)}
    masks = pruning.class_distribution(params(), 70 / 112, classes=CLASSES, scores=scores)
    assert np.asarray(masks["a"]).all()
    assert not np.asarray(masks["b"]).any()
    assert not np.asarray(masks["c"]).any()


def test_random_is_class_blind_on_uniform_scores():
    key = jax.random.key(6)
    drawn = {
        name: np.asarray(jax.random.uniform(jax.random.fold_in(key, n), shape))
        for n, (name, shape) in enumerate(SIZES.items())
    }
    found = pruning.random(params(), 0.4, key, classes=CLASSES)
    assert_equal(found, by_a_loop("class_blind", drawn, 0.4))
    assert_equal(pruning.SCHEMES["random"](params(), 0.4, classes=CLASSES, key=key, scores=draw(7)), found)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(0, 1), min_size=2, max_size=4),
    st.sampled_from(RANKED),
    st.booleans(),
    st.floats(0, 0.9),
)
def test_counts_are_exact_and_masks_nest(seed, sparsities, name, ties, before):
    scheme, scores = pruning.SCHEMES[name], draw(seed, ties)
    earlier = pruning.random(params(), before, jax.random.key(seed % 1000), classes=CLASSES)
    previous = earlier
    for sparsity in sorted(sparsities):
        masks = scheme(params(), sparsity, classes=CLASSES, scores=scores, masks=earlier)
        for leaves in (("a",), ("b", "c")) if name == "class_uniform" else (("a", "b", "c"),):
            gone, gone_before = (sum(np.count_nonzero(~np.asarray(m[n])) for n in leaves) for m in (masks, earlier))
            assert gone == max(gone_before, round(sparsity * sum(scores[n].size for n in leaves)))
        assert pruning.overlap(previous, masks).only_second == 0
        assert masks["bias"].shape == ()
        previous = masks


def broken(name, value, place=None, dtype=np.float32):
    scores = draw(8, dtype=dtype)
    if place is None:
        return scores | {name: value}
    scores[name][place] = value
    return scores


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (broken("a", np.nan, (1, 2)), r"score of weight \[1, 2\] of 'a' is nan; scores are numbers >= 0"),
        (broken("a", np.nan, (1, 2), jnp.bfloat16), r"score of weight \[1, 2\] of 'a' is nan"),
        (broken("c", -0.5, (3, 0, 1)), r"score of weight \[3, 0, 1\] of 'c' is -0.5"),
        (broken("b", np.ones(29, np.float32)), r"scores of leaf 'b' must be floats of shape \[30\]; got float32\[29\]"),
        (broken("b", np.ones(30, int)), r"scores of leaf 'b' must be floats of shape \[30\]; got int64\[30\]"),
        (broken("b", 1.0), r"scores of leaf 'b' must be floats of shape \[30\]; got float"),
        ({"a": np.ones((6, 7))}, "scores must have the structure of params"),
    ],
)
@pytest.mark.parametrize("name", RANKED)
def test_scores_that_do_not_fit_are_named(name, scores, message):
    with pytest.raises(ValueError, match=message):
        pruning.SCHEMES[name](params(), 0.5, classes=CLASSES, scores=scores)


def test_scores_that_are_not_ranked_may_be_anything():
    """Those of a never-pruned leaf, and of weights that were pruned before."""
    earlier = pruning.class_blind(params(), 0.5, classes=CLASSES, scores=draw(9))
    scores = jax.tree.map(lambda s, mask: np.where(mask, s, np.nan), draw(9) | {"bias": np.float32(-1)}, earlier)
    for name in RANKED:
        again = pruning.SCHEMES[name](params(), 0.7, classes=CLASSES, masks=earlier, scores=scores)
        assert_equal(again, by_a_loop(name, scores, 0.7, jax.tree.map(np.asarray, earlier)))


def test_infinite_scores_have_no_deviation_and_go_last():
    scores = broken("a", np.inf, (0, 0))
    assert pruning.class_blind(params(), 111 / 112, classes=CLASSES, scores=scores)["a"][0, 0]
    with pytest.raises(ValueError, match="class 'matrix' has standard deviation nan; its scores must be finite"):
        pruning.class_distribution(params(), 0.5, classes=CLASSES, scores=scores)


def test_the_registry_names_the_choices_and_all_are_called_alike():
    assert get_args(pruning.SchemeName) == tuple(pruning.SCHEMES)
    for name, scheme in pruning.SCHEMES.items():
        assert scheme is getattr(pruning, name)
        masks = scheme(params(), 0.5, classes=CLASSES, masks=None, scores=draw(10), key=jax.random.key(0))
        assert pruning.count(masks) == (56, 112)
