"""Loss, metrics and new state of one training step, against formulas written out here."""

import dataclasses
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim import pruning
from seq2slim.data.batching import Batch
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params
from seq2slim.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig
from seq2slim.training.objective import with_dropout
from seq2slim.training.objectives import nll
from seq2slim.training.optimizers import make_optimizer
from seq2slim.training.state import new_state
from seq2slim.training.step import make_train_step, make_training

MODEL = Seq2Seq(Seq2SeqConfig(11, 9, layers=1, units=4, dropout=0.0))
WET = Seq2Seq(dataclasses.replace(MODEL.config, dropout=0.5))
RATE, SMOOTHING, CLIP, DECAY = 0.25, 0.1, 0.01, 0.3
SGD = OptimizerConfig("sgd", clip_norm=CLIP, normalise="token")
# 9 target tokens in 3 sentences; the last row is unused.
BATCH = Batch(
    source=np.array([[0, 5, 6], [7, 8, 9], [0, 0, 10], [0, 0, 0]], np.int32),
    target_in=np.array([[2, 4, 5, 0], [2, 6, 7, 8], [2, 4, 0, 0], [0, 0, 0, 0]], np.int32),
    target_out=np.array([[4, 5, 3, 0], [6, 7, 8, 3], [4, 3, 0, 0], [0, 0, 0, 0]], np.int32),
    ids=np.array([0, 1, 5, -1], np.int32),
)


@cache
def start():
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda key: init_params(MODEL.config, key), jax.random.key(0))
    return jax.tree.map(lambda leaf: np.float32(rng.uniform(-1.5, 1.5, leaf.shape)), shapes)


@cache
def parts(model, config):
    """(step, optimizer) of a configuration; one compilation for all tests of it (and one under masks)."""
    optimizer = make_optimizer(config.optimizer, lambda step: RATE / (1.0 + step))
    return make_train_step(nll(model.config, config), optimizer, config, lambda step: RATE / (1.0 + step)), optimizer


PLAIN = TrainingConfig(optimizer=SGD, label_smoothing=SMOOTHING, average_decay=DECAY)
ADAM = TrainingConfig(optimizer=OptimizerConfig("adam", clip_norm=1.0))


def run(config, steps=1, model=MODEL, masks=None, params=None, batch=BATCH, seed=3):
    """(states after each step as numpy, metrics of each step)."""
    step, optimizer = parts(model, config)
    params = start() if params is None else params
    state = new_state(params, optimizer, jax.random.key(seed), config.average_decay > 0, masks)
    seen = []
    for _ in range(steps):
        state, metrics = step(state, batch, masks)
        seen.append(jax.tree.map(np.array, (state, metrics)))
    return seen


def make_masks():
    return pruning.class_uniform(start(), 0.6)


def naive_loss(params, count):
    """(smoothed cross-entropy / count, nll) from their definitions, summed over the words of the 3 used rows only."""
    log_p = jax.nn.log_softmax(MODEL.apply({"params": params}, BATCH.source[:3], BATCH.target_in[:3]))
    labels, vocabulary = BATCH.target_out[:3].T, log_p.shape[-1]
    q = (1 - SMOOTHING) * jax.nn.one_hot(labels, vocabulary) + SMOOTHING / vocabulary
    losses = jnp.where(labels > 0, -(q * log_p).sum(-1), 0)
    picked = jnp.take_along_axis(log_p, labels[..., None], -1)[..., 0]
    return losses.sum() / count, -jnp.where(labels > 0, picked, 0).sum()


NAIVE = jax.jit(jax.value_and_grad(naive_loss, has_aux=True))


def norm(tree):
    return np.sqrt(sum((np.float64(leaf) ** 2).sum() for leaf in jax.tree.leaves(tree)))


def assert_close(got, expected, rtol=1e-4, atol=1e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), got, expected)


@pytest.mark.parametrize(("normalise", "count"), [("token", 9), ("sentence", 3)])
def test_loss_gradient_norm_and_clipped_update_by_hand(normalise, count):
    config = dataclasses.replace(PLAIN, optimizer=dataclasses.replace(SGD, normalise=normalise))
    ((state, metrics),) = run(config)
    (loss, nll), gradients = NAIVE(start(), float(count))
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(metrics["nll"], nll, rtol=1e-5)
    assert metrics["tokens"] == 9
    assert metrics["learning_rate"] == np.float32(RATE)
    # The norm before the clip, which is far lower.
    assert norm(gradients) > 10 * CLIP
    np.testing.assert_allclose(metrics["gradient_norm"], norm(gradients), rtol=1e-4)
    expected = jax.tree.map(lambda w, g: w - RATE * g * CLIP / norm(gradients), start(), gradients)
    assert_close(state.params, expected, atol=1e-7)
    assert (state.params["softmax"]["kernel"] != start()["softmax"]["kernel"]).any()
    assert state.step == 1


def test_masked_gradient_is_measured_and_clipped_and_pruned_weights_go_to_zero():
    """From parameters that are not pruned yet: after one step every pruned weight is +0.0."""
    masks = make_masks()
    ((state, metrics),) = run(PLAIN, masks=masks)
    _, gradients = NAIVE(start(), 9.0)
    surviving = jax.tree.map(lambda g, m: np.where(m, g, 0), gradients, masks)
    assert norm(surviving) < 0.99 * norm(gradients)
    np.testing.assert_allclose(metrics["gradient_norm"], norm(surviving), rtol=1e-4)
    stepped = jax.tree.map(lambda w, g: w - RATE * g * CLIP / norm(surviving), start(), surviving)
    assert_close(state.params, jax.tree.map(lambda w, m: np.where(m, w, 0), stepped, masks), atol=1e-7)
    assert_positive_zeros(state.params, masks)


def assert_positive_zeros(tree, masks):
    for leaf, mask in zip(jax.tree.leaves(tree), jax.tree.leaves(masks), strict=True):
        pruned = leaf[~np.asarray(mask)]
        assert pruned.size
        np.testing.assert_array_equal(pruned, 0.0)
        assert not np.signbit(pruned).any()


def test_pruned_weights_and_their_average_stay_at_zero():
    masks = make_masks()
    params = pruning.apply_masks(start(), masks)
    for state, _ in run(PLAIN, steps=4, masks=masks, params=params):
        assert_positive_zeros(state.params, masks)
        assert_positive_zeros(state.average, masks)
    assert (state.params["softmax"]["kernel"] != params["softmax"]["kernel"]).any()


def test_moving_average_by_hand():
    """a <- d a + (1 - d) w with d = min(decay, (1 + t) / (10 + t)): 1/10, 2/11, then 3/12 and the limit 0.3 after."""
    average = jax.tree.map(np.float64, start())
    for t, (state, _) in enumerate(run(PLAIN, steps=6)):
        decay = [1 / 10, 2 / 11, 3 / 12, DECAY, DECAY, DECAY][t]
        average = jax.tree.map(lambda a, w, d=decay: d * a + (1 - d) * w, average, state.params)
        assert_close(state.average, average, rtol=1e-5, atol=1e-7)
        assert state.result is state.average


def test_without_average_the_parameters_are_the_result():
    ((state, _),) = run(ADAM, model=WET)
    assert state.average is None
    assert state.result is state.params


def test_the_rate_reported_is_the_rate_used():
    """Under the clip each step of SGD moves by rate * clip norm."""
    seen = run(PLAIN, steps=3)
    before = start()
    for t, (state, metrics) in enumerate(seen):
        np.testing.assert_allclose(metrics["learning_rate"], RATE / (1 + t), rtol=1e-6)
        moved = norm(jax.tree.map(np.subtract, state.params, before))
        np.testing.assert_allclose(moved, RATE / (1 + t) * CLIP, rtol=1e-3)
        before = state.params


def test_same_state_same_step_bit_for_bit_and_other_dropout_at_each_step():
    first, again, other = run(ADAM, 2, WET), run(ADAM, 2, WET), run(ADAM, 2, WET, seed=4)
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert first[0][1]["loss"] != other[0][1]["loss"]
    # The same parameters at another step of the run: another dropout mask.
    step, optimizer = parts(WET, ADAM)
    state = new_state(start(), optimizer, jax.random.key(3), averaged=False)
    _, later = step(state._replace(step=state.step + 1), BATCH, None)
    assert later["loss"] != first[0][1]["loss"]


def test_the_state_is_donated_and_the_callers_parameters_are_not():
    step, optimizer = parts(MODEL, PLAIN)
    params = jax.tree.map(jnp.asarray, start())
    state = new_state(params, optimizer, jax.random.key(0), averaged=True)
    after, _ = step(state, BATCH, None)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves((state.params, state.average)))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((params, after)))


HALVED = ScheduleConfig("halving", halve_after=1, halve_every=0.5)


def first_steps(model, config, steps, masks=None, steps_per_epoch=2):
    """(states after each step as numpy, metrics of each step) of `make_training`."""
    training = make_training(nll(model.config, config, masks), config, steps_per_epoch, masks)
    state, seen = training.start(start(), jax.random.key(3)), []
    for _ in range(steps):
        state, metrics = training.step(state, BATCH, masks)
        seen.append(jax.tree.map(np.array, (state, metrics)))
    return seen


def test_a_training_steps_at_the_rates_of_its_schedule():
    """Halvings come in epochs of 2 steps. Under the clip each step of SGD moves by rate * clip norm."""
    config = TrainingConfig(epochs=2, optimizer=dataclasses.replace(SGD, learning_rate=0.8), schedule=HALVED)
    before = start()
    for (state, metrics), rate in zip(first_steps(MODEL, config, 4), (0.8, 0.8, 0.4, 0.2), strict=True):
        np.testing.assert_allclose(metrics["learning_rate"], rate, rtol=1e-6)
        moved = norm(jax.tree.map(np.subtract, state.params, before))
        np.testing.assert_allclose(moved, rate * CLIP, rtol=1e-3)
        before = state.params
    assert state.average is None


def test_the_schedule_of_a_training_ends_at_max_steps():
    """A cosine without warm-up: half the peak in the middle of the run, 0 after it."""
    config = TrainingConfig(
        max_steps=4, optimizer=dataclasses.replace(SGD, learning_rate=0.8), schedule=ScheduleConfig(warmup=0)
    )
    rates = [metrics["learning_rate"] for _, metrics in first_steps(MODEL, config, 5)]
    np.testing.assert_allclose(rates, 0.4 * (1 + np.cos(np.pi * np.arange(5) / 4)), rtol=1e-5, atol=1e-9)


def test_a_training_scales_dropout_averages_and_holds_its_masks():
    config = dataclasses.replace(PLAIN, dropout_scale=0.0)
    masks = make_masks()
    dry, wet = (first_steps(model, config, 2, masks) for model in (MODEL, WET))
    jax.tree.map(np.testing.assert_array_equal, wet, dry)
    assert first_steps(WET, PLAIN, 1, masks)[0][1]["loss"] != dry[0][1]["loss"]
    for state, _ in dry:
        assert_positive_zeros(state.params, masks)
        assert any((a != w).any() for a, w in zip(*map(jax.tree.leaves, (state.average, state.params)), strict=True))


def test_dropout_is_scaled_by_the_root_of_the_density():
    config = dataclasses.replace(MODEL.config, dropout=0.4, output_dropout=0.2)
    by_density = TrainingConfig(dropout_by_density=True)
    masks = pruning.class_blind(start(), sparsity=0.75)
    assert with_dropout(config, by_density) == with_dropout(config, TrainingConfig(), masks) == config
    kept = sum(mask.sum() for mask in jax.tree.leaves(masks)) / sum(leaf.size for leaf in jax.tree.leaves(start()))
    assert kept == pytest.approx(0.25, abs=0.01)
    for scale in (1.0, 2.0):
        scaled = with_dropout(config, dataclasses.replace(by_density, dropout_scale=scale), masks)
        assert scaled.dropout == pytest.approx(scale * 0.4 * np.sqrt(kept))
        assert scaled.output_dropout == pytest.approx(scale * 0.2 * np.sqrt(kept))
        assert dataclasses.replace(scaled, dropout=0.4, output_dropout=0.2) == config
