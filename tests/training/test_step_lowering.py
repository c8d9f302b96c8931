"""The whole train step lowers for TPU and CUDA without the hardware."""

import jax
import numpy as np
import pytest

from seq2slim import pruning
from seq2slim.data.batching import Batch
from seq2slim.models import PRESETS, Seq2Seq, init_params, weight_classes
from seq2slim.training.config import TrainingConfig
from seq2slim.training.optimizers import make_optimizer
from seq2slim.training.state import new_state
from seq2slim.training.step import eval_step, make_train_step

PLATFORMS = ["tpu", "cuda"]
B, S, T = 4, 5, 6


def abstract_batch():
    shapes = Batch(source=(B, S), target_in=(B, T), target_out=(B, T), ids=(B,))
    return Batch(*(jax.ShapeDtypeStruct(shape, np.int32) for shape in shapes))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("feeding", [False, True])
def test_train_step_lowers(feeding, masked):
    model = Seq2Seq(PRESETS["tiny"](30, 30, input_feeding=feeding, dropout=0.2, lstm_bias=True))
    config = TrainingConfig(label_smoothing=0.1, average_decay=0.99)

    def rate(step):
        return 1e-3

    optimizer = make_optimizer(config.optimizer, rate)
    step = make_train_step(model, optimizer, config, rate)
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
    assert all(value.shape == () for value in metrics)


def test_eval_step_lowers():
    model = Seq2Seq(PRESETS["tiny"](30, 30))
    params = jax.eval_shape(lambda key: init_params(model.config, key), jax.random.key(0))
    exported = jax.export.export(eval_step, platforms=PLATFORMS)(model, params, abstract_batch())
    assert exported.platforms == tuple(PLATFORMS)
