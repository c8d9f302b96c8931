"""N accumulated batches make the step of one batch N times as large, for every objective."""

import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

from seq2slim import pruning
from seq2slim.data.batching import Batch
from seq2slim.losses import TopK
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params
from seq2slim.training.config import OptimizerConfig, TrainingConfig, WordDistillationConfig
from seq2slim.training.objective import Loss, Objective
from seq2slim.training.objectives import nll, online_distillation, stored_distillation
from seq2slim.training.step import make_training

MODEL = Seq2SeqConfig(11, 9, layers=1, units=4, dropout=0.0)
ROWS, K = 6, 3


@pytest.fixture(scope="module")
def data():
    """(parameters, a batch of 6 rows of unequal lengths, of which the last one is unused)."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(partial(init_params, MODEL), jax.random.key(0))
    params = jax.tree.map(lambda leaf: np.float32(rng.uniform(-1, 1, leaf.shape)), shapes)
    inside = np.arange(5) < np.array([5, 2, 4, 1, 3, 0])[:, None]
    source, target_in, target_out = (np.where(inside, rng.integers(4, 9, (ROWS, 5)), 0).astype(np.int32) for _ in "abc")
    return params, Batch(source, target_in, target_out, np.array([3, 1, 4, 0, 5, -1], np.int32))


def stored(batch) -> TopK:
    """K words per position, a function of the sentence alone."""
    times = np.arange(batch.target_out.shape[1])[:, None, None]
    words = (4 + (batch.ids[None, :, None] + times + np.arange(K)) % 5).astype(np.int32)
    return TopK(words, np.float32(-np.log(2 + words)))


def objectives(params) -> dict[str, Objective]:
    config, word = TrainingConfig(label_smoothing=0.1), WordDistillationConfig(0.5)
    teacher = Seq2Seq(MODEL), jax.tree.map(lambda leaf: 2 * leaf, params)
    return {
        "nll": nll(MODEL, config),
        "online": online_distillation(MODEL, config, word, [teacher]),
        "stored": stored_distillation(MODEL, config, word, stored),
    }


def first_step(objective, config, params, batch, masks=None):
    training = make_training(objective, config, 1, masks)
    return jax.tree.map(np.asarray, training.step(training.start(params, jax.random.key(3)), batch, masks))


@pytest.mark.parametrize(
    ("name", "normalise"), [("nll", "token"), ("nll", "sentence"), ("online", "token"), ("stored", "token")]
)
def test_accumulated_batches_are_one_large_batch(data, name, normalise):
    params, batch = data
    masks = pruning.class_blind(params, 0.3)
    optimizer = OptimizerConfig("sgd", learning_rate=0.5, clip_norm=0.1, normalise=normalise)
    whole = TrainingConfig(batch_size=6, optimizer=optimizer)
    parts = dataclasses.replace(whole, batch_size=2, accumulate=3)
    assert whole.rows == parts.rows == ROWS
    objective = objectives(params)[name]
    expected, found = (first_step(objective, config, params, batch, masks) for config in (whole, parts))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)
    assert found[1]["tokens"] == 15


def summing(rows: int) -> Objective:
    """The loss is w times the ids of the batch; each row carries the sum of the ids that it has seen."""

    def loss(params, batch, extra, carried, noise):
        seen = {"seen": carried["seen"] + batch.ids}
        return Loss(params["w"] * batch.ids.sum(), {"seen": seen["seen"].sum()}, seen)

    start = {"seen": np.zeros(rows, np.int32)}
    return Objective(loss, carried=start, report=dict, progress="seen")


def test_each_row_keeps_what_it_carries(data):
    _, batch = data
    batch = batch._replace(ids=np.arange(10, 16, dtype=np.int32))
    config = TrainingConfig(batch_size=2, accumulate=3, optimizer=OptimizerConfig("sgd", normalise="sentence"))
    training = make_training(summing(ROWS), config, 1)
    state = training.start({"w": np.float32(1)}, jax.random.key(0))
    for times in (1, 2):
        state, metrics = training.step(state, batch)
        np.testing.assert_array_equal(state.carried["seen"], times * batch.ids)
        assert metrics["seen"] == times * batch.ids.sum()


def test_each_part_has_its_own_dropout(data):
    """Three equal parts: with one key for all, their gradients would be equal, and their mean that of one part."""
    params, batch = data
    thrice = jax.tree.map(lambda leaf: np.tile(leaf[:2], (3,) + (1,) * (leaf.ndim - 1)), batch)
    wet = nll(dataclasses.replace(MODEL, dropout=0.5), TrainingConfig())
    one = TrainingConfig(batch_size=2, optimizer=OptimizerConfig("sgd", clip_norm=0.0))
    (_, several), (_, repeated) = (
        first_step(wet, dataclasses.replace(one, accumulate=n), params, rows)
        for n, rows in ((3, thrice), (1, jax.tree.map(lambda leaf: leaf[:2], batch)))
    )
    assert abs(several["loss"] - repeated["loss"]) > 1e-4
