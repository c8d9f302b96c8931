"""Sizes of the named models, computed by hand from the papers' formulas, and their weight classes."""

import collections
import math

import jax
import pytest

from seq2slim import pruning
from seq2slim.models import PRESETS, ModelOptions, Seq2SeqConfig, init_params, weight_classes


def shapes_of(config):
    return jax.eval_shape(lambda key: init_params(config, key), jax.random.key(0))


def total(config):
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes_of(config)))


def class_sizes(config):
    shapes = shapes_of(config)
    classes = pruning.classes_by_rules(shapes, weight_classes(config))
    sizes = collections.Counter()
    for name, leaf in zip(jax.tree.leaves(classes), jax.tree.leaves(shapes), strict=True):
        sizes[name] += math.prod(leaf.shape)
    return dict(sizes)


def test_see2016_has_the_12_classes_of_figure_4():
    million = 1_000_000
    config = PRESETS["see2016"]()
    expected = {f"{side} layer {k}": 8 * million for side in ("source", "target") for k in (1, 2, 3, 4)}
    expected |= {"attention": 2 * million, "softmax": 50 * million}
    expected |= {"source embedding": 50 * million, "target embedding": 50 * million}
    assert class_sizes(config) == expected
    assert len(expected) == 12
    assert total(config) == 216_000_000


def test_input_feeding_adds_a_block_to_the_first_target_layer():
    """Luong's own model: 220M (science.md A4)."""
    config = PRESETS["see2016"](input_feeding=True)
    assert class_sizes(config)["target layer 1"] == 12_000_000
    assert total(config) == 220_000_000


def test_kim2016():
    assert total(PRESETS["kim2016_teacher"]()) == 221_094_004
    assert total(PRESETS["kim2016_student"]()) == 84_814_004
    assert total(PRESETS["kim2016_student"](units=300)) == 48_568_404
    # W_a of the general score is of the attention class, biases are of none.
    sizes = class_sizes(PRESETS["kim2016_teacher"]())
    assert sizes["attention"] == 3_000_000
    assert sizes["never pruned"] == 8 * 4_000 + 50_004


def test_sizes_of_the_variants():
    """A GRU has three blocks where an LSTM has four; W_a of concat is [2H, H], W_p of local-p [H, H]."""
    n, million = 1000, 1_000_000
    gru = class_sizes(PRESETS["see2016"](cell="gru"))
    assert all(gru[f"{side} layer {k}"] == 6 * million for side in ("source", "target") for k in (1, 2, 3, 4))
    assert total(PRESETS["see2016"](cell="gru")) == 216_000_000 - 16 * million
    sizes = {
        changes: class_sizes(PRESETS["see2016"](**dict(changes)))
        for changes in (
            (("attention", "concat"),),
            (("attention_span", "local_p"),),
            (("attention", "general"), ("attention_span", "local_p")),
        )
    }
    assert [own["attention"] for own in sizes.values()] == [4 * million, 3 * million, 4 * million]
    assert all(own["never pruned"] == n for own in sizes.values())


@pytest.mark.parametrize(("preset", "most"), [("base", 16_000_000), ("small", 8_000_000)])
def test_our_presets_keep_their_limits(preset, most):
    assert 0.4 * most < total(PRESETS[preset](6_000, 6_000)) <= most


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bidirectional": True, "lstm_bias": True, "output_bias": True},
        {"attention": "general", "attention_span": "local_p"},
        {"attention": "concat", "cell": "gru", "lstm_bias": True},
    ],
)
def test_classes_cover_every_leaf_once(preset, changes):
    """`classes_by_rules` raises on a leaf that no rule or several match; every matrix and no vector is prunable."""
    config = PRESETS[preset](100, 90, **changes)
    shapes = shapes_of(config)
    classes = pruning.classes_by_rules(shapes, weight_classes(config))
    for name, leaf in zip(jax.tree.leaves(classes), jax.tree.leaves(shapes), strict=True):
        assert (name == pruning.NEVER_PRUNED) == (len(leaf.shape) == 1)
    assert len(set(jax.tree.leaves(classes)) - {pruning.NEVER_PRUNED}) == 2 * config.layers + 4


def test_options_change_what_they_name_and_nothing_else():
    expected = Seq2SeqConfig(70, 80, layers=2, units=64, dropout=0.0, lstm_bias=True)
    options = ModelOptions("tiny", layers=2, units=64, lstm_bias=True)
    assert options.build(70, 80) == expected
    assert ModelOptions("see2016", dropout=0.0).build(70, 80).dropout == 0.0
    for preset, make in PRESETS.items():
        assert ModelOptions(preset).build(70, 80) == make(70, 80)


def test_an_unknown_preset_is_an_error():
    with pytest.raises(ValueError, match=r"'smal'.*small"):
        ModelOptions("smal")
