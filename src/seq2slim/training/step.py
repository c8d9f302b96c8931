"""One training step and one evaluation step of a translation model, each compiled once a batch shape."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from seq2slim import pruning
from seq2slim.losses import cross_entropy
from seq2slim.models.seq2seq import Seq2Seq
from seq2slim.special_ids import PAD
from seq2slim.training.config import TrainingConfig
from seq2slim.training.state import TrainState


class StepMetrics(NamedTuple):
    """What a step reports; all f32[].

    loss: what was minimised (smoothed, normalised). nll: summed over target tokens, nats.
    tokens: target tokens, EOS counted. gradient_norm: global, of the surviving weights, before clipping.
    learning_rate: of this step.
    """

    loss: jax.Array
    nll: jax.Array
    tokens: jax.Array
    gradient_norm: jax.Array
    learning_rate: jax.Array


def batch_losses(model: Seq2Seq, params, batch, label_smoothing=0.0, dropout_key=None):
    """Losses of a batch, summed over its target tokens, in nats.

    Args:
      model: of `params`, a nested dict without the "params" above it.
      batch: `data.Batch`; a filling row, all PAD, adds nothing.
      label_smoothing, dropout_key: as in `cross_entropy` and `Seq2Seq.hidden`.
    Returns: (loss f32[], nll f32[], tokens f32[]: target tokens, EOS counted).
    """
    hidden = model.apply({"params": params}, batch.source, batch.target_in, dropout_key, method="hidden")
    softmax, labels = params["softmax"], batch.target_out.T
    weights = (labels != PAD).astype(softmax["kernel"].dtype)
    loss, nll = cross_entropy(hidden, softmax["kernel"], softmax.get("bias"), labels, weights, label_smoothing)
    return loss, nll, weights.sum()


def make_train_step(
    model: Seq2Seq,
    optimizer: optax.GradientTransformation,
    config: TrainingConfig,
    rate: optax.Schedule,
    losses: Callable = batch_losses,
):
    """A jitted (state, batch, masks, *more) -> (state, StepMetrics); the state's buffers are donated.

    `masks` are None for a dense model; `more` is what else the losses read (a teacher's parameters, its stored words).
    They are arguments, so that they are no constants of the compiled step.
    The dropout key of a step is fold_in(key, step): a function of the run and the step alone.

    Args:
      model: what is trained.
      optimizer: of `make_optimizer`, without masks: they are laid around it here.
      config: label smoothing, normalisation of the loss, and decay of the moving average.
      rate: step -> learning rate, reported only; the optimizer has its own.
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
            # Early on the average follows closely: the start has no special weight (Polyak averaging, debiased).
            decay = jnp.minimum(config.average_decay, (1.0 + state.step) / (10.0 + state.step))
            average = jax.tree.map(lambda a, p: a + (1 - decay) * (p - a), average, params)
        return TrainState(state.step + 1, params, optimizer_state, average, state.key), metrics

    return jax.jit(step, donate_argnums=0)


@partial(jax.jit, static_argnums=0)
def eval_step(model: Seq2Seq, params, batch):
    """(nll f32[] in nats, tokens f32[]), summed over the batch's target tokens; no dropout, no label smoothing."""
    _, nll, tokens = batch_losses(model, params, batch)
    return nll, tokens
