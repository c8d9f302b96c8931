"""Pruned weights stay at exactly +0.0 under optimisers with memory and decay, in every kind of params tree."""

import dataclasses

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seq2slim import pruning

OPTIMIZERS = {
    "sgd": optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1)),
    "momentum": optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, momentum=0.9, nesterov=True)),
    "adamw": optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(0.01, weight_decay=0.1)),
    "adagrad": optax.chain(optax.clip_by_global_norm(1.0), optax.adagrad(0.1)),
    "decay": optax.chain(optax.add_decayed_weights(0.1), optax.trace(0.9), optax.scale(-0.1)),
}


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Linear:
    """A module that is its own params tree and callable, as in Equinox."""

    weight: jax.Array
    bias: jax.Array
    units: int = dataclasses.field(default=3, metadata={"static": True})

    def __call__(self, x):
        return x @ self.weight + self.bias


def make_params(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "layer": {"kernel": jnp.array(rng.standard_normal((6, 5)), jnp.float32), "bias": jnp.ones(5)},
        "head": [jnp.array(rng.standard_normal((5, 2)), jnp.float32)],
    }


def assert_positive_zeros(params, masks):
    """Every weight under a False mask is +0.0; returns how many there are."""
    found = 0
    for weight, mask in zip(jax.tree.leaves(params), jax.tree.leaves(masks), strict=True):
        if mask.ndim:
            pruned = np.asarray(weight)[~np.asarray(mask)]
            assert (pruned == 0).all()
            assert not np.signbit(pruned).any()
            found += pruned.size
    return found


def run(optimizer, params, state, steps, loss=lambda p: sum(jnp.sum((w - 1.3) ** 2) for w in jax.tree.leaves(p))):
    @jax.jit
    def step(params, state):
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(steps):
        params, state = step(params, state)
    return params, state


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pruned_weights_stay_at_positive_zero(name):
    """The optimiser's memory is full of the dense training before; without masks it would move every weight."""
    params, state = run(OPTIMIZERS[name], make_params(), OPTIMIZERS[name].init(make_params()), 3)
    masks = pruning.class_blind(params, 0.5)
    params = pruning.apply_masks(params, masks)
    optimizer = pruning.keep_pruned(OPTIMIZERS[name], masks)
    fresh = optimizer.init(params)
    trained, _ = run(optimizer, params, (fresh[0], state, fresh[2]), 5)
    assert assert_positive_zeros(trained, masks) == 20
    moved = jax.tree.map(lambda before, after: np.asarray(before != after), params, trained)
    for change, mask in zip(jax.tree.leaves(moved), jax.tree.leaves(masks)):
        np.testing.assert_array_equal(change, np.broadcast_to(mask, change.shape))


def test_weights_not_zeroed_yet_or_negative_zero_become_positive_zero():
    params = make_params()
    params["layer"]["kernel"] = params["layer"]["kernel"].at[0].set(-0.0)
    masks = pruning.class_blind(params, 0.5)
    optimizer = pruning.keep_pruned(optax.sgd(0.1, momentum=0.9), masks)
    trained, _ = run(optimizer, params, optimizer.init(params), 1)
    assert assert_positive_zeros(trained, masks) == 20


def test_updates_without_params_are_zero_where_pruned():
    params = make_params()
    masks = pruning.class_blind(params, 0.5)
    optimizer = pruning.keep_pruned(optax.sgd(0.1), masks)
    updates, _ = optimizer.update(jax.tree.map(jnp.ones_like, params), optimizer.init(params))
    expected = jax.tree.map(lambda w, mask: np.where(mask, np.float32(-0.1), 0), params, masks)
    jax.tree.map(
        np.testing.assert_array_equal, updates, jax.tree.map(lambda e, w: np.broadcast_to(e, w.shape), expected, params)
    )


def test_the_optimizer_sees_masked_gradients():
    """A clip inside measures the norm of the surviving gradient, and NaN under a mask does no harm."""
    params = make_params()
    masks = pruning.class_blind(params, 0.5)
    gradients = jax.tree.map(lambda w, mask: jnp.where(mask, w + 2, jnp.nan), params, masks)
    surviving = [np.asarray(g)[np.broadcast_to(m, g.shape)] for g, m in zip(*map(jax.tree.leaves, (gradients, masks)))]
    norm = np.sqrt(sum(np.sum(g.astype(np.float64) ** 2) for g in surviving))
    optimizer = pruning.keep_pruned(optax.chain(optax.clip_by_global_norm(1.0), optax.scale(-1.0)), masks)
    updates, _ = optimizer.update(gradients, optimizer.init(params), pruning.apply_masks(params, masks))
    assert norm > 1
    for update, gradient, mask in zip(*map(jax.tree.leaves, (updates, gradients, masks))):
        keep = np.broadcast_to(mask, update.shape)
        np.testing.assert_allclose(np.asarray(update)[keep], -np.asarray(gradient)[keep] / norm, rtol=1e-6)


def test_masks_may_be_an_argument_of_the_step():
    """Tighter masks need no new compilation and no new state, and act with the next update."""
    params = make_params()
    base = optax.adam(0.01)
    compilations = []

    @jax.jit
    def step(params, state, masks):
        compilations.append(1)
        optimizer = pruning.keep_pruned(base, masks)
        updates, state = optimizer.update(jax.tree.map(jnp.ones_like, params), state, params)
        return optax.apply_updates(params, updates), state

    masks = pruning.all_true(params)
    state = pruning.keep_pruned(base, masks).init(params)
    for sparsity, pruned in ((0.2, 8), (0.6, 24)):
        masks = pruning.class_blind(params, sparsity, masks=masks)
        params, state = step(params, state, masks)
        assert assert_positive_zeros(params, masks) == pruned
    assert len(compilations) == 1


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (jnp.ones(5, bool), r"shape \(5,\) lies over a weight of shape \(6, 5\)"),
        (jnp.ones((6, 5), jnp.float32), r"shape \(6, 5\) must be bool, got float32"),
    ],
)
def test_masks_that_do_not_fit_are_an_error(mask, message):
    params = {"kernel": jnp.ones((6, 5))}
    optimizer = pruning.keep_pruned(optax.sgd(0.1), {"kernel": mask})
    with pytest.raises(ValueError, match=message):
        optimizer.update(params, optimizer.init(params), params)


def test_narrow_weights():
    params = jax.tree.map(lambda w: w.astype(jnp.bfloat16), make_params())
    masks = pruning.class_blind(params, 0.5)
    optimizer = pruning.keep_pruned(optax.adamw(0.01), masks)
    trained, _ = run(optimizer, params, optimizer.init(params), 2)
    assert assert_positive_zeros(trained, masks) == 20
    assert all(w.dtype == jnp.bfloat16 for w in jax.tree.leaves(trained))


def trees():
    x = jnp.ones((2, 4))
    linear = Linear(jax.random.normal(jax.random.key(0), (4, 3)), jnp.ones(3))
    dense = flax.linen.Dense(3)
    plain = [jax.random.normal(jax.random.key(1), (4, 3)), (jnp.ones(3),)]
    return {
        "flax": (dense.init(jax.random.key(2), x), lambda p: dense.apply(p, x)),
        "dataclass": (linear, lambda p: p(x)),
        "plain dict": ({"w": linear.weight, "b": linear.bias}, lambda p: x @ p["w"] + p["b"]),
        "list and tuple": (plain, lambda p: x @ p[0] + p[1][0]),
    }


@pytest.mark.parametrize("kind", ["flax", "dataclass", "plain dict", "list and tuple"])
def test_three_lines_work_on_any_pytree(kind):
    params, model = trees()[kind]
    structure = jax.tree.structure(params)

    masks = pruning.class_blind(params, sparsity=0.75)
    params = pruning.apply_masks(params, masks)
    optimizer = pruning.keep_pruned(optax.adam(1e-3), masks)

    trained, _ = run(optimizer, params, optimizer.init(params), 2, lambda p: jnp.sum((model(p) - 1) ** 2))
    assert jax.tree.structure(masks) == jax.tree.structure(trained) == structure
    assert pruning.count(masks) == (3, 12)
    assert assert_positive_zeros(trained, masks) == 9
    assert "all classes" in str(pruning.summary(trained, masks))


def test_the_sparse_step_lowers_for_tpu_and_cuda():
    params = make_params()
    masks = pruning.class_blind(params, 0.5)
    optimizer = pruning.keep_pruned(OPTIMIZERS["adamw"], masks)
    step = jax.jit(lambda g, s, p: optimizer.update(g, s, p))
    exported = jax.export.export(step, platforms=["tpu", "cuda"])(params, optimizer.init(params), params)
    assert exported.platforms == ("tpu", "cuda")
