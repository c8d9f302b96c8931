"""Learning-rate schedules, exact to the step at which a rate changes."""

import jax.numpy as jnp
import numpy as np
import optax

from seq2slim.training.config import ScheduleConfig


def halving_steps(config: ScheduleConfig, steps_per_epoch: int, total_steps: int):
    """The steps at which the rate is halved: int64[number of halvings], each the first step at the lower rate.

    With "prose" timing the first halving comes after `halve_after` epochs; with "code" timing, one `halve_every` later
    (Luong's code for small files). A time between two steps is rounded to the nearer step. Steps count from 0.
    """
    first = config.halve_after + (config.halve_every if config.timing == "code" else 0)
    count = max(0, int(np.ceil((total_steps / steps_per_epoch - first) / config.halve_every)))
    epochs = first + config.halve_every * np.arange(count)
    return np.round(epochs * steps_per_epoch).astype(np.int64)


def learning_rate(config: ScheduleConfig, peak: float, steps_per_epoch: int, total_steps: int) -> optax.Schedule:
    """The learning rate of each step: a function int32[] (steps done so far) -> f32[].

    Args:
      config: kind and times, in epochs.
      peak: the highest rate.
      steps_per_epoch, total_steps: convert epochs to steps. The cosine reaches 0 at `total_steps`, one step after the
        last.
    """
    if config.kind == "constant":
        return lambda step: jnp.full((), peak, jnp.float32)
    if config.kind == "cosine":
        warmup = min(round(config.warmup * steps_per_epoch), total_steps - 1)
        return optax.warmup_cosine_decay_schedule(peak / (warmup + 1), peak, warmup, total_steps)
    boundaries = halving_steps(config, steps_per_epoch, total_steps)
    rates = np.float32(peak) * np.float32(0.5) ** np.arange(len(boundaries) + 1, dtype=np.float32)

    def rate(step):
        return jnp.asarray(rates)[jnp.searchsorted(jnp.asarray(boundaries, jnp.int32), step, side="right")]

    return rate
