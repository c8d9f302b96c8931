"""Schemes of magnitudes against a stable sort, a bisection on lambda, and each other; on the host and under jit."""

from fractions import Fraction
from functools import partial

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from seq2slim import pruning

SCHEMES = [pruning.class_blind, pruning.class_uniform, pruning.class_distribution]


def make_params(seed=0, ties=False):
    """Three classes, of 4000, 4 and 60 weights and different spreads, and a bias."""
    rng = np.random.default_rng(seed)
    params = {
        "embedding": rng.standard_normal((80, 50)) * 0.1,
        "head": rng.standard_normal((2, 2)),
        "layers": [rng.standard_normal((5, 4)) * 3, rng.standard_normal((10, 4)) * 3],
        "bias": rng.standard_normal(50),
    }
    if ties:
        params = jax.tree.map(lambda w: np.round(w * 4) / 4, params)
    return jax.tree.map(lambda w: w.astype(np.float32), params)


CLASSES = {
    "embedding": "embedding",
    "head": "head",
    "layers": ["layers", "layers"],
    "bias": pruning.NEVER_PRUNED,
}
ORDER = ["embedding", "head", "layers", "layers"]  # classes of the prunable leaves, in leaf order


def prunable(tree):
    """The prunable leaves in leaf order: keys of a dict are sorted."""
    return [np.asarray(tree["embedding"]), np.asarray(tree["head"]), *map(np.asarray, tree["layers"])]


def flat(tree):
    return np.concatenate([leaf.ravel() for leaf in prunable(tree)])


def sort_oracle(scheme, params, sparsity):
    """One flat mask by NumPy's stable argsort of every score in float64."""
    weights = flat(params).astype(np.float64)
    classes = np.concatenate([[name] * w.size for name, w in zip(ORDER, prunable(params))])
    groups = [np.full(weights.size, True)]
    score = np.abs(weights)
    if scheme is pruning.class_uniform:
        groups = [classes == name for name in dict.fromkeys(ORDER)]
    if scheme is pruning.class_distribution:
        for name in set(ORDER):
            sigma = np.std(weights[classes == name])
            score[classes == name] = score[classes == name] / sigma if sigma else np.inf
    keep = np.full(weights.size, True)
    for group in groups:
        places = np.flatnonzero(group)
        order = places[np.argsort(score[places], kind="stable")]
        keep[order[: round(sparsity * places.size)]] = False
    return keep


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("sparsity", [0.0, 0.31, 0.8, 0.999, 1.0])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_masks_are_those_of_a_full_sort(scheme, sparsity, ties):
    params = make_params(1, ties)
    masks = scheme(params, sparsity, classes=CLASSES)
    np.testing.assert_array_equal(flat(masks), sort_oracle(scheme, params, sparsity))
    assert masks["bias"].shape == ()
    assert masks["bias"]
    assert all(isinstance(leaf, jax.Array) and leaf.dtype == bool for leaf in jax.tree.leaves(masks))


@pytest.mark.parametrize("sparsity", [0.0, 0.8, 1.0])
@pytest.mark.parametrize("scheme", [pruning.class_blind, pruning.class_uniform])
def test_jit_gives_the_same_masks(scheme, sparsity):
    params = make_params(2, ties=True)
    earlier = scheme(params, 0.3, classes=CLASSES)
    moved = jax.tree.map(lambda w: w[..., ::-1].copy(), params)
    jitted = jax.jit(lambda p, m: scheme(p, sparsity, classes=CLASSES, masks=m))
    expected = scheme(moved, sparsity, classes=CLASSES, masks=earlier)
    jax.tree.map(np.testing.assert_array_equal, jitted(moved, earlier), expected)


def test_jitted_class_distribution_is_exact_in_count_and_close_in_place():
    rng = np.random.default_rng(3)
    params = {name: rng.standard_normal((200, 250), dtype=np.float32) * s for name, s in zip("abc", (0.01, 1, 30))}
    masks = jax.jit(lambda p: pruning.class_distribution(p, 0.7))(params)
    cells = pruning.overlap(masks, pruning.class_distribution(params, 0.7))
    assert cells.both_pruned + cells.only_second == 105_000
    assert cells.only_first == cells.only_second <= 2  # of 150,000


def test_sparsity_is_a_python_number():
    with pytest.raises(TypeError, match="static"):
        jax.jit(pruning.class_blind)(make_params(), 0.5)
    for narrow in (np.float32(0.8), jnp.float32(0.8), "0.8"):
        with pytest.raises(TypeError, match=r"Python float.*got .*0\.8.*\(.+\)"):
            pruning.class_uniform(make_params(), narrow)
    with pytest.raises(TypeError, match=r"\(float32\)"):
        pruning.random(make_params(), np.float32(0.8), jax.random.key(0))
    with pytest.raises(TypeError, match="key="):
        pruning.random(make_params(), 0.8)
    wide, whole = (pruning.class_blind(make_params(), sparsity) for sparsity in (np.float64(0.8), 1))
    jax.tree.map(np.testing.assert_array_equal, wide, pruning.class_blind(make_params(), 0.8))
    assert pruning.count(whole).kept == 0


def test_class_distribution_is_a_bisection_on_lambda():
    params = make_params(4)
    weights = {name: [] for name in ORDER}
    for name, leaf in zip(ORDER, prunable(params)):
        weights[name].append(leaf.astype(np.float64).ravel())
    weights = {name: np.concatenate(parts) for name, parts in weights.items()}
    k = round(0.6 * sum(w.size for w in weights.values()))
    low, high = 0.0, 100.0
    for _ in range(200):
        middle = (low + high) / 2
        pruned = sum(np.count_nonzero(np.abs(w) < middle * w.std()) for w in weights.values())
        low, high = (middle, high) if pruned < k else (low, middle)
    masks = pruning.class_distribution(params, 0.6, classes=CLASSES)
    for name, mask, leaf in zip(ORDER, prunable(masks), prunable(params)):
        np.testing.assert_array_equal(mask, np.abs(leaf.astype(np.float64)) >= high * weights[name].std())


def test_equal_deviations_make_class_distribution_class_blind():
    """Magnitudes 5 and 5, or 1 and 7: both classes have variance 25 exactly, and mean 0."""
    rng = np.random.default_rng(5)
    params = {
        "a": rng.permutation(np.repeat(np.float32([5, -5]), 40)).reshape(8, 10),
        "b": rng.permutation(np.repeat(np.float32([1, -1, 7, -7]), 30)).reshape(12, 10),
    }
    for sparsity in (0.2, 0.4, 0.8):
        blind, uniform, distribution = (scheme(params, sparsity) for scheme in SCHEMES)
        jax.tree.map(np.testing.assert_array_equal, blind, distribution)
        assert pruning.overlap(blind, uniform).only_first > 0


def test_a_class_without_spread_goes_last():
    params = {"flat": np.full((20, 30), 1e-6, np.float32), "wide": make_params(6)["embedding"]}
    masks = pruning.class_distribution(params, 4000 / 4600)
    assert np.asarray(masks["flat"]).all()
    assert not np.asarray(masks["wide"]).any()
    jitted = jax.jit(lambda p: pruning.class_distribution(p, 4000 / 4600))(params)
    jax.tree.map(np.testing.assert_array_equal, jitted, masks)


def test_deviation_ignores_weights_pruned_before():
    """So zeroing them or not makes no difference, and the sort over survivors alone gives the same masks."""
    params = make_params(7)
    earlier = pruning.class_uniform(params, 0.5, classes=CLASSES)
    again = partial(pruning.class_distribution, sparsity=0.7, classes=CLASSES, masks=earlier)
    masks = again(params)
    jax.tree.map(np.testing.assert_array_equal, masks, again(pruning.apply_masks(params, earlier)))
    kept, weights = flat(earlier), flat(params).astype(np.float64)
    classes = np.concatenate([[name] * w.size for name, w in zip(ORDER, prunable(params))])
    score = np.full(weights.size, -1.0)
    for name in set(ORDER):
        survivors = kept & (classes == name)
        score[survivors] = np.abs(weights[survivors]) / weights[survivors].std()
    expected = np.full(weights.size, True)
    expected[np.argsort(score, kind="stable")[: round(0.7 * weights.size)]] = False
    np.testing.assert_array_equal(flat(masks), expected)


def test_one_class_makes_all_schemes_one():
    params = {"w": make_params(8)["embedding"]}
    blind, uniform, distribution = (scheme(params, 0.42) for scheme in SCHEMES)
    np.testing.assert_array_equal(blind["w"], uniform["w"])
    np.testing.assert_array_equal(blind["w"], distribution["w"])


def test_the_count_is_rounded_in_float64():
    """0.7 * 45 is just below 31.5; a float32 product is 31.5 and would round to 32."""
    params = {"w": np.arange(1, 46, dtype=np.float32).reshape(5, 9)}
    masks = pruning.class_blind(params, 0.7)
    assert round(float(np.float32(0.7) * np.float32(45))) == 32
    assert 45 - pruning.count(masks).kept == round(Fraction(0.7) * 45) == 31


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(0, 1), min_size=2, max_size=4),
    st.sampled_from([*SCHEMES, "random"]),
    st.booleans(),
)
def test_counts_are_exact_and_masks_nest_as_sparsity_grows(seed, sparsities, scheme, ties):
    params = make_params(seed, ties)
    if scheme == "random":
        scheme = partial(pruning.random, key=jax.random.key(seed))
    previous = np.full(4064, True)
    for sparsity in sorted(sparsities):
        masks = scheme(params, sparsity=sparsity, classes=CLASSES)
        keep = flat(masks)
        parts = [4000, 4, 60] if scheme is pruning.class_uniform else [4064]
        assert np.count_nonzero(~keep) == sum(round(sparsity * size) for size in parts)
        assert not (keep & ~previous).any()
        previous = keep


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from([(a, b) for a in SCHEMES for b in SCHEMES]),
)
def test_pruning_again_never_brings_a_weight_back(seed, first, second, schemes):
    params = make_params(seed)
    earlier = schemes[0](params, first, classes=CLASSES)
    later = schemes[1](make_params(seed + 1), second, classes=CLASSES, masks=earlier)
    assert not (flat(later) & ~flat(earlier)).any()
    if schemes[1] is not pruning.class_uniform:
        assert np.count_nonzero(~flat(later)) == max(round(second * 4064), np.count_nonzero(~flat(earlier)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_leaf_that_is_never_pruned_now_keeps_its_earlier_mask(scheme):
    params, spared = make_params(), CLASSES | {"embedding": pruning.NEVER_PRUNED}
    earlier = scheme(params, 0.5, classes=CLASSES)

    def again(params, masks):
        return scheme(params, 0.9, classes=spared, masks=masks)

    for run in (again, jax.jit(again)):
        later = run(params, earlier)
        np.testing.assert_array_equal(later["embedding"], earlier["embedding"])
        rest = jax.tree.leaves({name: mask for name, mask in later.items() if name != "embedding"})
        pruned = sum(np.count_nonzero(~np.asarray(mask)) for mask in rest if np.ndim(mask))
        assert pruned == 58  # 90% of 64, as of 4 and of 60


def test_random_ignores_magnitude():
    """Of 10,000 weights, the half with the small magnitudes loses a share within 5 standard deviations of 80%."""
    params = {"w": np.arange(1.0, 10_001, dtype=np.float32).reshape(100, 100)}
    masks = pruning.random(params, 0.8, jax.random.key(1))
    small_kept = np.count_nonzero(np.asarray(masks["w"])[:50])
    assert pruning.count(masks).kept == 2000
    assert abs(small_kept - 1000) < 5 * np.sqrt(5000 * 0.8 * 0.2 * 0.5)
    jitted = jax.jit(lambda p, key: pruning.random(p, 0.8, key))(params, jax.random.key(1))
    np.testing.assert_array_equal(jitted["w"], masks["w"])


def test_controls_take_a_traced_key_over_concrete_arrays():
    params, key = make_params(), jax.random.key(1)
    params["activation"] = "tanh"  # no array: nothing is drawn for it
    classes = {**CLASSES, "activation": pruning.NEVER_PRUNED}
    draw = partial(pruning.random, params, 0.4, classes=classes)
    masks = draw(key)
    jax.tree.map(np.testing.assert_array_equal, jax.jit(draw)(key), masks)
    shuffle = partial(pruning.shuffled_within_class, masks)
    jax.tree.map(np.testing.assert_array_equal, jax.jit(shuffle)(key), shuffle(key))


def test_shuffling_keeps_each_class_count_and_moves_the_places():
    masks = pruning.class_blind(make_params(9), 0.7, classes=CLASSES)
    for shuffle in (pruning.shuffled_within_class, jax.jit(pruning.shuffled_within_class)):
        shuffled = shuffle(masks, jax.random.key(2))
        for before, after in zip(prunable(masks), prunable(shuffled)):
            assert np.count_nonzero(before) == np.count_nonzero(after)
        assert (flat(masks) != flat(shuffled)).any()
    together = pruning.shuffled_within_class(masks, jax.random.key(2), classes=CLASSES)
    layers = [np.count_nonzero(np.concatenate([a.ravel() for a in prunable(m)[2:]])) for m in (masks, together)]
    assert layers[0] == layers[1]


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_sparsity_outside_its_range_is_an_error(scheme, sparsity):
    with pytest.raises(ValueError, match="sparsity"):
        scheme(make_params(), sparsity)


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="'empty' has no weight"):
        pruning.class_blind({"empty": np.zeros((0, 3), np.float32), "w": np.ones((2, 2), np.float32)}, 0.5)
    with pytest.raises(ValueError, match="no leaf of params is prunable"):
        pruning.class_blind({"bias": np.ones(3, np.float32)}, 0.5)
    params = make_params()
    params["layers"][1][0, 0] = np.nan
    with pytest.raises(ValueError, match="'layers/1' is NaN"):
        pruning.class_blind(params, 0.5)
    with pytest.raises(ValueError, match="class 'w' has standard deviation"):
        pruning.class_distribution({"w": np.array([[1, np.inf]], np.float32)}, 0.5)
    with pytest.raises(ValueError, match="structure"):
        pruning.class_blind(make_params(), 0.5, masks={"w": jnp.array(True)})
    with pytest.raises(ValueError, match=r"shape \(3,\) .* shape \(2, 3\)"):
        pruning.class_blind({"w": np.ones((2, 3), np.float32)}, 0.5, masks={"w": jnp.ones(3, bool)})
    with pytest.raises(ValueError, match=r"shape \(2, 3\) must be bool, got float32"):
        pruning.class_blind({"w": np.ones((2, 3), np.float32)}, 0.5, masks={"w": jnp.ones((2, 3))})


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lowers_for_tpu_and_cuda(scheme):
    shapes = jax.tree.map(lambda w: jax.ShapeDtypeStruct(w.shape, w.dtype), make_params())
    exported = jax.export.export(jax.jit(lambda p: scheme(p, 0.8, classes=CLASSES)), platforms=["tpu", "cuda"])(shapes)
    assert exported.platforms == ("tpu", "cuda")
    assert "sort" not in exported.mlir_module()
