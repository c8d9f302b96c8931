"""Applying, counting and comparing masks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim import pruning

PARAMS = {
    "w": np.array([[-1.0, np.inf], [np.nan, -0.0]], np.float32),
    "half": jnp.array([[1.0, -2.0]], jnp.bfloat16),
    "bias": np.array([-0.0, np.nan], np.float32),
}
MASKS = {
    "w": jnp.array([[False, False], [False, True]]),
    "half": jnp.array([[True, False]]),
    "bias": jnp.array(True),
}


@pytest.mark.parametrize("apply", [pruning.apply_masks, jax.jit(pruning.apply_masks)])
def test_pruned_weights_become_positive_zero_and_others_stay(apply):
    pruned = apply(PARAMS, MASKS)
    w = np.asarray(pruned["w"])
    assert (w == 0).all()  # also in place of infinity and NaN
    np.testing.assert_array_equal(np.signbit(w), [[False, False], [False, True]])
    assert pruned["half"].dtype == jnp.bfloat16
    assert pruned["half"].tolist() == [[1.0, 0.0]]
    np.testing.assert_array_equal(np.asarray(pruned["bias"]).view(np.uint32), PARAMS["bias"].view(np.uint32))


def test_float64_of_numpy_stays_float64():
    """jax without x64 would narrow it, and say so."""
    pruned = pruning.apply_masks({"w": np.array([1 / 3, 2.0])}, {"w": jnp.array([True, False])})["w"]
    assert pruned.dtype == np.float64
    np.testing.assert_array_equal(pruned, [1 / 3, 0.0])
    # Under a traced mask jax has to narrow it.
    traced = jax.jit(lambda mask: pruning.apply_masks({"w": np.array([0.5, 2.0])}, {"w": mask}))
    np.testing.assert_array_equal(traced(jnp.array([True, False]))["w"], np.float32([0.5, 0.0]))


def test_leaves_that_are_no_arrays_pass_through():
    params = {"w": np.eye(2, dtype=np.float32), "activation": jnp.tanh, "name": "dense"}
    masks = pruning.class_blind(params, 0.5)
    pruned = pruning.apply_masks(params, masks)
    assert pruned["activation"] is jnp.tanh
    assert pruned["name"] == "dense"


def test_masks_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match=r"\(2, 1\).*\(2, 2\)"):
        pruning.apply_masks({"w": np.ones((2, 2), np.float32)}, {"w": jnp.ones((2, 1), bool)})
    with pytest.raises(ValueError, match="masks must have the structure of params"):
        pruning.apply_masks({"w": np.ones((2, 2), np.float32)}, {"v": jnp.ones((2, 2), bool)})
    with pytest.raises(ValueError, match=r"\(2, 2\) must be bool, got int32"):
        pruning.apply_masks({"w": np.ones((2, 2), np.float32)}, {"w": jnp.ones((2, 2), jnp.int32)})


def test_count_leaves_out_what_is_never_pruned():
    counts = pruning.count(MASKS)
    assert counts == (2, 6)
    assert counts.sparsity == pytest.approx(4 / 6)


def test_all_true_has_the_shapes_of_a_scheme():
    params = {"w": np.ones((3, 2), np.float32), "bias": np.ones(2, np.float32)}
    masks, full = pruning.all_true(params), pruning.class_blind(params, 0.0)
    jax.tree.map(np.testing.assert_array_equal, masks, full)
    assert pruning.count(masks).sparsity == 0


def test_overlap_counts_every_cell():
    first = {"w": np.array([True, True, True, False, False]), "bias": np.array(True)}
    second = {"w": np.array([True, True, False, True, False]), "bias": np.array(True)}
    cells = pruning.overlap(first, second)
    assert cells == (2, 1, 1, 1)
    assert cells.jaccard == pytest.approx(2 / 4)
    assert pruning.overlap(first, first).jaccard == 1
    with pytest.raises(ValueError, match="structure"):
        pruning.overlap(first, {"w": first["w"]})
    with pytest.raises(ValueError, match="shape"):
        pruning.overlap(first, {"w": first["w"][:4], "bias": first["bias"]})


@pytest.mark.parametrize("density", [pruning.density, jax.jit(pruning.density)])
def test_density_is_the_share_of_prunable_weights_kept(density):
    found = density(MASKS)  # 1 of 4 and 1 of 2; the bias is never pruned
    assert found.dtype == jnp.float32
    assert found == pytest.approx(2 / 6) == 1 - pruning.count(MASKS).sparsity
    assert density({"bias": jnp.array(True)}) == 1
