"""Equinox modules are pruned without conversion: leaves that are not arrays pass through."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seq2slim import pruning

SPARSITY = 0.7


class Model(eqx.Module):
    """Leaves of every kind: matrices, vectors, a function, a Python float, a table of integers, and a static field."""

    layers: list[eqx.nn.Linear]
    table: jax.Array
    activation: object
    rate: float
    name: str = eqx.field(static=True)

    def __call__(self, x):
        return self.layers[1](self.activation(self.rate * self.layers[0](x))) + self.table.sum()


@pytest.fixture(scope="module")
def model():
    first, second = jax.random.split(jax.random.key(0))
    layers = [eqx.nn.Linear(4, 6, key=first), eqx.nn.Linear(6, 3, key=second)]
    return Model(layers, jnp.arange(4).reshape(2, 2), jax.nn.relu, 0.5, "net")


@pytest.fixture(scope="module")
def masks(model):
    return pruning.class_blind(model, sparsity=SPARSITY)


def matrices(model):
    return [np.asarray(layer.weight) for layer in model.layers]


def test_masks_have_the_structure_of_the_model(model, masks):
    assert jax.tree.structure(masks) == jax.tree.structure(model)
    assert isinstance(masks, Model)
    assert [layer.weight.shape for layer in masks.layers] == [(6, 4), (3, 6)]
    never = [masks.layers[0].bias, masks.layers[1].bias, masks.table, masks.activation, masks.rate]
    assert all(mask.shape == () and bool(mask) for mask in never)


def test_the_smallest_weights_are_zeroed_and_nothing_else_changes(model, masks):
    pruned = pruning.apply_masks(model, masks)
    magnitudes = np.sort(np.abs(np.concatenate([weight.ravel() for weight in matrices(model)])))
    removed = round(SPARSITY * magnitudes.size)
    for before, after in zip(matrices(model), matrices(pruned)):
        np.testing.assert_array_equal(after, np.where(np.abs(before) > magnitudes[removed - 1], before, 0))
    assert pruned.activation is model.activation
    assert pruned.rate == 0.5
    assert pruned.name == "net"
    np.testing.assert_array_equal(pruned.table, model.table)


def test_the_table_counts_weights_not_functions(model, masks):
    result = pruning.summary(model, masks)
    assert [row.name for row in result.rows] == ["layers/0/weight", "layers/1/weight"]
    assert result.total.weights == 24 + 18
    assert result.never_pruned == 6 + 3 + 4  # two biases and the table


@pytest.mark.parametrize("optimizer", [optax.adam(0.05), optax.adamw(0.05, weight_decay=0.1)], ids=["adam", "adamw"])
def test_pruned_weights_stay_zero_in_the_usual_loop(model, masks, optimizer):
    x = jax.random.normal(jax.random.key(1), (5, 4))
    pruned = pruning.apply_masks(model, masks)
    optimizer = pruning.keep_pruned(optimizer, masks)

    @eqx.filter_jit
    def step(model, state):
        gradients = eqx.filter_grad(lambda model: jnp.mean((jax.vmap(model)(x) - 1) ** 2))(model)
        updates, state = optimizer.update(gradients, state, eqx.filter(model, eqx.is_inexact_array))
        return eqx.apply_updates(model, updates), state

    trained, state = pruned, optimizer.init(eqx.filter(pruned, eqx.is_inexact_array))
    for _ in range(3):
        trained, state = step(trained, state)
    for before, after, layer in zip(matrices(pruned), matrices(trained), masks.layers):
        mask = np.asarray(layer.weight)
        assert (after[~mask] == 0).all()
        assert not np.signbit(after[~mask]).any()
        assert (after != before)[mask].any()
    assert trained.activation is model.activation


def test_partition_gives_the_same_masks(model, masks):
    params, static = eqx.partition(model, eqx.is_inexact_array)
    own = pruning.class_blind(params, sparsity=SPARSITY)
    again = eqx.combine(pruning.apply_masks(params, own), static)
    for one, two in zip(matrices(pruning.apply_masks(model, masks)), matrices(again)):
        np.testing.assert_array_equal(one, two)
    assert pruning.count(own) == pruning.count(masks) == (42 - round(SPARSITY * 42), 42)


def test_a_function_cannot_be_in_a_class(model):
    rules = [("layers/*/weight", "layers"), ("*/bias", pruning.NEVER_PRUNED), ("table", pruning.NEVER_PRUNED)]
    with pytest.raises(ValueError, match="no rule matches leaf 'activation'"):
        pruning.classes_by_rules(model, rules)
    with pytest.raises(ValueError, match=r"leaf 'activation' is .* and cannot be in class 'rest'"):
        pruning.classes_by_rules(model, [*rules, ("activation", "rest"), ("rate", pruning.NEVER_PRUNED)])
