"""Rules, default classes and the subgroups of an LSTM kernel."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim import pruning

PARAMS = {
    "encoder": {"layer_1": {"kernel": jnp.ones((4, 8)), "bias": jnp.ones(8)}, "layer_2": {"kernel": jnp.ones((4, 8))}},
    "heads": [jnp.ones((2, 2)), jnp.ones((2, 2), jnp.int32)],
    "scale": jnp.ones(()),
}


def test_paths_name_keys_and_list_places():
    assert pruning.leaf_paths(PARAMS) == [
        "encoder/layer_1/bias",
        "encoder/layer_1/kernel",
        "encoder/layer_2/kernel",
        "heads/0",
        "heads/1",
        "scale",
    ]


def test_each_leaf_takes_floating_matrices_only():
    never = pruning.NEVER_PRUNED
    assert pruning.each_leaf(PARAMS) == {
        "encoder": {
            "layer_1": {"kernel": "encoder/layer_1/kernel", "bias": never},
            "layer_2": {"kernel": "encoder/layer_2/kernel"},
        },
        "heads": ["heads/0", never],
        "scale": never,
    }


def test_rules_are_globs_or_regular_expressions():
    rules = [
        ("*/bias", pruning.NEVER_PRUNED),
        (re.compile(r"encoder/layer_\d/kernel"), "encoder"),
        ("heads/0", "head"),
        ("heads/1", pruning.NEVER_PRUNED),
        ("scale", pruning.NEVER_PRUNED),
        ("decoder/*", "decoder"),  # matches nothing: allowed
    ]
    classes = pruning.classes_by_rules(PARAMS, rules)
    assert jax.tree.leaves(classes) == [pruning.NEVER_PRUNED, "encoder", "encoder", "head", *[pruning.NEVER_PRUNED] * 2]
    assert pruning.classes_by_rules(jax.eval_shape(lambda: PARAMS), rules) == classes
    masks = pruning.class_uniform(PARAMS, 0.25, classes=classes)
    assert pruning.count(masks) == (64 - 16 + 4 - 1, 68)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([("*/kernel", "a")], "no rule matches leaf 'encoder/layer_1/bias'"),
        ([(re.compile("encoder"), "a")], "no rule matches leaf 'encoder/layer_1/bias'"),
        ([("*", "a"), ("*/bias", "b")], r"'encoder/layer_1/bias' is matched by 2 rules \('\*', '\*/bias'\)"),
        ([("*/bias", "b"), ("*kernel", "a"), ("heads/*", "h"), ("scale", "s")], r"'heads/1' is int32\[2, 2\]"),
        ([("*/bias", "b"), ("*kernel", "a"), ("heads/*", pruning.NEVER_PRUNED), ("scale", "s")], "'scale' is float32"),
    ],
)
def test_a_leaf_not_matched_once_or_not_prunable_is_named(rules, message):
    with pytest.raises(ValueError, match=message):
        pruning.classes_by_rules(PARAMS, rules)


def test_subgroups_tile_the_kernel_once_in_gate_order():
    units, inputs = 3, 5
    kernel = np.zeros((inputs + units, 4 * units), int)
    groups = pruning.lstm_subgroups(units)
    for place in groups.values():
        kernel[place] += 1
    assert (kernel == 1).all()
    assert len(groups) == 8
    columns = np.arange(12)
    for n, gate in enumerate(("i", "f", "o", "h-hat")):
        assert list(columns[groups["recurrent", gate][1]]) == [3 * n, 3 * n + 1, 3 * n + 2]
    assert list(np.arange(8)[groups["recurrent", "i"][0]]) == [5, 6, 7]
    assert list(np.arange(8)[groups["feed-forward", "i"][0]]) == [0, 1, 2, 3, 4]
