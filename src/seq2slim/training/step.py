"""One training step and one evaluation step of a translation model, each compiled once per batch shape.

`make_training` is the way in: it puts model, learning rate, optimiser, losses and step together.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from seq2slim import pruning
from seq2slim.losses import cross_entropy
from seq2slim.models import Seq2Seq, Seq2SeqConfig
from seq2slim.special_ids import PAD
from seq2slim.training.config import TrainingConfig, total_steps
from seq2slim.training.learning_rates import learning_rate
from seq2slim.training.optimizers import make_optimizer
from seq2slim.training.state import TrainState, new_state


class StepMetrics(NamedTuple):
    """Metrics of one step; all f32[].

    loss: the minimised value (smoothed, normalised). nll: summed over target tokens, nats.
    tokens: target tokens, EOS counted. gradient_norm: global, of the surviving weights, before clipping.
    learning_rate: of this step.
    """

    loss: jax.Array
    nll: jax.Array
    tokens: jax.Array
    gradient_norm: jax.Array
    learning_rate: jax.Array


class Training(NamedTuple):
    """A training run, ready for its first batch.

    step: (state, batch, masks, *more) -> (state, StepMetrics), from `make_train_step`.
    start: (params, key) -> `TrainState` before the first step; key: jax.random.key of dropout.
    """

    step: Callable
    start: Callable


def batch_losses(model: Seq2Seq, params, batch, label_smoothing=0.0, dropout_key=None):
    """Losses of a batch, summed over its target tokens, in nats.

    Args:
      model: the model.
      params: its parameters, a nested dict without the top-level key "params".
      batch: `data.Batch`; an unused row, all PAD, adds nothing.
      label_smoothing, dropout_key: as in `cross_entropy` and `Seq2Seq.hidden`.
    Returns: (loss f32[], nll f32[], tokens f32[]: target tokens, EOS counted).
    """
    hidden = model.apply({"params": params}, batch.source, batch.target_in, dropout_key, method="hidden")
    softmax, labels = params["softmax"], batch.target_out.T
    weights = (labels != PAD).astype(softmax["kernel"].dtype)
    loss, nll = cross_entropy(hidden, softmax["kernel"], softmax.get("bias"), labels, weights, label_smoothing)
    return loss, nll, weights.sum()


def make_training(
    model: Seq2SeqConfig, config: TrainingConfig, steps_per_epoch: int, masks=None, losses: Callable = batch_losses
) -> Training:
    """The step of a training run and its first state, from the configuration of the model and of the training.

    Args:
      model: with its full dropout rates.
      config: the training.
      steps_per_epoch: converts the epochs of `config` to steps.
      masks: of a pruned model, or None if dense; `step` takes them again, as an argument.
      losses: what is minimised, as `batch_losses`, the default.
    """
    rate = learning_rate(
        config.schedule, config.optimizer.learning_rate, steps_per_epoch, total_steps(config, steps_per_epoch)
    )
    optimizer = make_optimizer(config.optimizer, rate)
    module = Seq2Seq(with_dropout(model, config, masks))
    step = make_train_step(module, optimizer, config, rate, losses)
    return Training(step, lambda params, key: new_state(params, optimizer, key, config.average_decay > 0, masks))


def with_dropout(model: Seq2SeqConfig, config: TrainingConfig, masks=None) -> Seq2SeqConfig:
    """The model's configuration with the dropout rates of this training: scaled by `config` and by density."""
    scale = config.dropout_scale
    if config.dropout_by_density and masks is not None:
        scale *= math.sqrt(1 - pruning.count(masks).sparsity)
    return replace(model, dropout=scale * model.dropout, output_dropout=scale * model.output_dropout)


def make_train_step(
    model: Seq2Seq,
    optimizer: optax.GradientTransformation,
    config: TrainingConfig,
    rate: optax.Schedule,
    losses: Callable = batch_losses,
):
    """A jitted (state, batch, masks, *more) -> (state, StepMetrics). The state's buffers are donated.

    `masks` is None for a dense model. `more` is what else the losses read (teachers' parameters, stored words). Both
    are arguments, because arrays in a closure would become constants of the compiled step.
    The dropout key of a step is fold_in(key, step), so it depends on the run and the step only.

    Args:
      model: the model to train.
      optimizer: from `make_optimizer`; the step wraps it with the masks.
      config: label smoothing, normalisation of the loss, and decay of the moving average.
      rate: step -> learning rate, for the metrics only; the optimizer already uses it.
      losses: (model, params, batch, label_smoothing, dropout_key, *more) -> (loss, nll, tokens), as `batch_losses`.
    """

    def loss_of(params, batch, key, more):
        loss, nll, tokens = losses(model, params, batch, config.label_smoothing, key, *more)
        count = tokens if config.optimizer.normalise == "token" else (batch.ids >= 0).sum()
        return loss / jnp.maximum(count, 1), (nll, tokens)

    def step(state: TrainState, batch, masks=None, *more):
        sparse = optimizer if masks is None else pruning.keep_pruned(optimizer, masks)
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        (loss, (nll, tokens)), gradients = jax.value_and_grad(loss_of, has_aux=True)(state.params, batch, key, more)
        if masks is not None:
            gradients = pruning.apply_masks(gradients, masks)
        updates, optimizer_state = sparse.update(gradients, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = StepMetrics(loss, nll, tokens, optax.tree.norm(gradients), rate(state.step))
        average = state.average
        if average is not None:
            # A lower decay early on, so that the initial parameters get no extra weight (debiased Polyak averaging).
            decay = jnp.minimum(config.average_decay, (1.0 + state.step) / (10.0 + state.step))
            average = jax.tree.map(lambda a, p: a + (1 - decay) * (p - a), average, params)
        return TrainState(state.step + 1, params, optimizer_state, average, state.key), metrics

    return jax.jit(step, donate_argnums=0)


@partial(jax.jit, static_argnums=0)
def eval_step(model: Seq2Seq, params, batch):
    """(nll f32[] in nats, tokens f32[]), summed over the batch's target tokens; no dropout, no label smoothing."""
    _, nll, tokens = batch_losses(model, params, batch)
    return nll, tokens
