"""One training step, compiled once per batch shape. `make_training` is the way in.

The step knows no model: what is minimised is an `Objective`, whose parameters are any pytree.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seq2slim import pruning
from seq2slim.training.config import TrainingConfig, total_steps
from seq2slim.training.learning_rates import learning_rate
from seq2slim.training.objective import RESERVED, Loss, Noise, Objective
from seq2slim.training.optimizers import make_optimizer
from seq2slim.training.state import TrainState, new_state


class Training(NamedTuple):
    """A training run, ready for its first batch.

    step: (state, batch, masks) -> (state, metrics); the state's buffers are donated.
    start: (params, key) -> `TrainState` before the first step; key: jax.random.key of dropout.
    jitted: the step as `make_train_step` gives it. inputs: (batch, masks) -> its arguments after the state.
    """

    step: Callable
    start: Callable
    jitted: Callable
    inputs: Callable


def make_training(objective: Objective, config: TrainingConfig, steps_per_epoch: int, masks=None) -> Training:
    """The step of a training run and its first state.

    Args:
      objective: what is minimised.
      config: the training.
      steps_per_epoch: converts the epochs of `config` to steps.
      masks: of a pruned model, or None if dense; `step` takes them again, as an argument.
    """
    rate = learning_rate(
        config.schedule, config.optimizer.learning_rate, steps_per_epoch, total_steps(config, steps_per_epoch)
    )
    optimizer = make_optimizer(config.optimizer, rate)
    jitted = make_train_step(objective, optimizer, config, rate)

    def inputs(batch, masks=None) -> tuple:
        if config.accumulate == 1:
            return batch, masks, objective.constants, objective.read(batch)
        parts = jax.tree.map(lambda x: np.asarray(x).reshape(config.accumulate, -1, *x.shape[1:]), batch)
        read = [objective.read(jax.tree.map(lambda x, n=n: x[n], parts)) for n in range(config.accumulate)]
        return parts, masks, objective.constants, jax.tree.map(lambda *arrays: np.stack(arrays), *read)

    def start(params, key) -> TrainState:
        return new_state(params, optimizer, key, config.average_decay > 0, masks, objective.carried)

    return Training(lambda state, batch, masks=None: jitted(state, *inputs(batch, masks)), start, jitted, inputs)


def make_train_step(
    objective: Objective, optimizer: optax.GradientTransformation, config: TrainingConfig, rate: optax.Schedule
):
    """A jitted (state, batch, masks, constants, read) -> (state, metrics). The state's buffers are donated.

    `masks` is None for a dense model; `constants` and `read` are those of the objective. All are arguments, because
    arrays in a closure would become constants of the compiled step. With `accumulate` N above 1, the leaves of `batch`
    and `read` have a leading axis N: the batches whose gradients are summed.
    The dropout key of a step is fold_in(key, step), so it depends on the run and the step only.

    The metrics: "loss", the minimised value (smoothed, normalised); "gradient_norm", global, of the surviving weights,
    before clipping; "learning_rate" of this step; "tokens"; and the sums of the objective under their names.

    Args:
      objective: what is minimised.
      optimizer: from `make_optimizer`; the step wraps it with the masks.
      config: normalisation of the loss, accumulation, and decay of the moving average.
      rate: step -> learning rate, for the metrics only; the optimizer already uses it.
    """

    def normalised(params, batch, extra, carried, noise, count):
        found = objective.loss(params, batch, extra, carried, noise)
        return found.total / jnp.maximum(count, 1), found

    def gradient(params, batch, extra, carried, noise, count):
        """((loss, gradients, sums), carried) of one batch, a part of the `count` that the loss is divided by."""
        (loss, found), gradients = jax.value_and_grad(normalised, has_aux=True)(
            params, batch, extra, carried, noise, count
        )
        _check(objective, found, carried)
        return (loss, gradients, dict(found.sums)), found.carried

    def accumulated(params, batches, extra, carried, noise, count):
        """The same of N batches: a sum over them, one after the other."""
        constants, read = extra
        keys = jax.random.split(noise.key, config.accumulate)
        carried = jax.tree.map(lambda x: x.reshape(config.accumulate, -1, *x.shape[1:]), carried)

        def one(part):
            batch, own, kept, key = part
            return gradient(params, batch, (constants, own), kept, noise._replace(key=key), count)

        def add(total, part):
            found, kept = one(part)
            return jax.tree.map(jnp.add, total, found), kept

        parts = batches, read, carried, keys
        shapes, _ = jax.eval_shape(one, jax.tree.map(lambda x: x[0], parts))
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        total, carried = jax.lax.scan(add, zeros, parts)
        return total, jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), carried)

    def step(state: TrainState, batch, masks=None, constants=(), read=()):
        sparse = optimizer if masks is None else pruning.keep_pruned(optimizer, masks)
        key = jax.random.fold_in(jax.random.wrap_key_data(state.key), state.step)
        follows = config.dropout_by_density and config.pruning.schedule != "none"
        noise = Noise(key, jnp.sqrt(pruning.density(masks)) if follows else None)
        each = objective.tokens if config.accumulate == 1 else jax.vmap(objective.tokens)
        tokens = jnp.sum(jnp.asarray(each(batch), jnp.float32))
        count = tokens if config.optimizer.normalise == "token" else (batch.ids >= 0).sum()
        (loss, gradients, sums), carried = (gradient if config.accumulate == 1 else accumulated)(
            state.params, batch, (constants, read), state.carried, noise, count
        )
        if masks is not None:
            gradients = pruning.apply_masks(gradients, masks)
        updates, optimizer_state = sparse.update(gradients, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        norm = optax.tree.norm(gradients)
        metrics = sums | {"loss": loss, "tokens": tokens, "gradient_norm": norm, "learning_rate": rate(state.step)}
        average = state.average
        if average is not None:
            # A lower decay early on, so that the initial parameters get no extra weight (debiased Polyak averaging).
            decay = jnp.minimum(config.average_decay, (1.0 + state.step) / (10.0 + state.step))
            average = jax.tree.map(lambda a, p: a + (1 - decay) * (p - a), average, params)
        return TrainState(state.step + 1, params, optimizer_state, average, state.key, carried), metrics

    return jax.jit(step, donate_argnums=0)


def _check(objective: Objective, found: Loss, carried):
    """Raises: ValueError, while the step is traced, if an objective does not keep its word."""
    if clash := RESERVED & found.sums.keys():
        raise ValueError(f"an objective may not report {min(clash)!r}: the step does")
    if objective.progress not in {*found.sums, *RESERVED}:
        raise ValueError(f"progress={objective.progress!r} is not reported; reported are {sorted(found.sums)}")
    if shapes := [jnp.shape(x) for x in (found.total, *found.sums.values()) if jnp.shape(x)]:
        raise ValueError(f"the loss of a batch and what is reported are numbers, summed over it; got shape {shapes[0]}")
    before, after = (
        jax.tree.map(lambda x: (jnp.shape(x), jnp.result_type(x)), tree) for tree in (carried, found.carried)
    )
    if before != after:
        raise ValueError(f"what an objective carries keeps its shapes and dtypes; got {before}, then {after}")
