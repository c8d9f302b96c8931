"""The whole train step lowers for TPU and CUDA without the hardware."""

import jax
import numpy as np
import pytest

from seq2slim import pruning
from seq2slim.data.batching import Batch
from seq2slim.evaluation.perplexity import eval_step
from seq2slim.models import PRESETS, Seq2Seq, init_params, weight_classes
from seq2slim.training.config import TrainingConfig
from seq2slim.training.objectives import nll
from seq2slim.training.optimizers import make_optimizer
from seq2slim.training.state import new_state
from seq2slim.training.step import make_train_step

PLATFORMS = ["tpu", "cuda"]
B, S, T = 4, 5, 6


def abstract_batch():
    shapes = Batch(source=(B, S), target_in=(B, T), target_out=(B, T), ids=(B,))
    return Batch(*(jax.ShapeDtypeStruct(shape, np.int32) for shape in shapes))


MODELS = {
    "plain": PRESETS["tiny"](30, 30, dropout=0.2, lstm_bias=True),
    "fed": PRESETS["tiny"](30, 30, input_feeding=True, dropout=0.2, lstm_bias=True),
    "bfloat16": PRESETS["tiny"](30, 30, dropout=0.2, compute_dtype="bfloat16"),
    "gru": PRESETS["base"](30, 30, units=8, cell="gru", attention_span="local_p", compute_dtype="bfloat16"),
    "concat": PRESETS["base"](30, 30, units=8, attention="concat", cell="gru"),
    "base": PRESETS["base"](
        30, 30, units=8
    ),  # the published architecture: bidirectional, input feeding, general attention, two dropouts
}


def test_the_base_preset_has_the_parts_to_lower():
    base = MODELS["base"]
    assert (base.attention, base.input_feeding, base.bidirectional) == ("general", True, True)
    assert base.dropout > 0
    assert base.output_dropout > 0


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("plain", False),
        ("plain", True),
        ("fed", False),
        ("base", True),
        ("bfloat16", True),
        ("gru", True),
        ("concat", False),
    ],
)
def test_train_step_lowers(name, masked):
    model = Seq2Seq(MODELS[name])
    config = TrainingConfig(label_smoothing=0.1, average_decay=0.99)

    def rate(step):
        return 1e-3

    optimizer = make_optimizer(config.optimizer, rate)
    step = make_train_step(nll(model.config, config), optimizer, config, rate)
    params = jax.eval_shape(lambda key: init_params(model.config, key), jax.random.key(0))
    masks = None
    if masked:
        classes = pruning.classes_by_rules(params, weight_classes(model.config))
        masks = jax.tree.map(
            lambda leaf, name: jax.ShapeDtypeStruct(() if name == pruning.NEVER_PRUNED else leaf.shape, bool),
            params,
            classes,
        )
    state = jax.eval_shape(
        lambda params, masks: new_state(params, optimizer, jax.random.key(0), True, masks), params, masks
    )
    exported = jax.export.export(step, platforms=PLATFORMS)(state, abstract_batch(), masks)
    assert exported.platforms == tuple(PLATFORMS)
    after, metrics = jax.tree.unflatten(exported.out_tree, exported.out_avals)
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (after, state))
    assert shapes[0] == shapes[1]
    assert all(value.shape == () for value in metrics.values())


def test_eval_step_lowers():
    model = Seq2Seq(PRESETS["tiny"](30, 30))
    params = jax.eval_shape(lambda key: init_params(model.config, key), jax.random.key(0))
    exported = jax.export.export(eval_step, platforms=PLATFORMS)(model, params, abstract_batch())
    assert exported.platforms == tuple(PLATFORMS)
