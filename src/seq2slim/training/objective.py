"""What a training run minimises, as a value: the step knows it by functions of arrays, and no model."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seq2slim import pruning
from seq2slim.models.config import Seq2SeqConfig
from seq2slim.special_ids import PAD
from seq2slim.training.config import TrainingConfig

RESERVED = {"loss", "tokens", "gradient_norm", "learning_rate"}  # metrics of every step


class Noise(NamedTuple):
    """The randomness of one step: key of dropout, and a factor on its rates, f32[], or None for 1."""

    key: jax.Array
    dropout_scale: jax.Array | None = None


class Loss(NamedTuple):
    """The loss of a batch.

    total: f32[], summed over the batch; the step divides it by the number of its tokens or of its sentences.
    sums: name -> f32[], what is reported, summed over the batch; no name of `RESERVED`.
    carried: what the next step gets, shaped like what this one got.
    """

    total: jax.Array
    sums: Mapping[str, jax.Array]
    carried: Any = ()


def target_tokens(batch) -> jax.Array:
    """f32[]: target tokens of a `data.Batch`, EOS counted."""
    return jnp.sum(batch.target_out != PAD, dtype=jnp.float32)


def perplexity(sums: Mapping[str, float]) -> dict[str, float]:
    """Training perplexity from the summed "nll" and "tokens" of some steps; nothing where no NLL is reported."""
    if "nll" not in sums:
        return {}
    return {"train_perplexity": math.exp(min(sums["nll"] / max(sums["tokens"], 1), 700))}


@dataclass(frozen=True)
class Objective:
    """What a run minimises, what it reads beside the batch, and what it carries from step to step.

    Attributes:
      loss: (params, batch, extra, carried, noise) -> `Loss`; pure, runs under jit. `extra` is (constants, read(batch)).
      tokens: batch -> f32[], how many predictions it holds; pure. The loss may be divided by it; speeds are counted in
        it.
      constants: arrays that every step reads, such as the parameters of teachers.
      read: batch -> arrays read for this batch alone, such as stored words. Called on the host.
      carried: the arrays carried into the first step, each with leading axis `TrainingConfig.rows`. They are saved with
        the run, and keep shapes and dtypes.
      report: sums of the named values over some steps, with "tokens" -> what the log shows of them.
      progress: the named value that the progress line shows, per token.
    """

    loss: Callable[[Any, Any, Any, Any, Noise], Loss]
    tokens: Callable[[Any], jax.Array] = target_tokens
    constants: Any = ()
    read: Callable[[Any], Any] = lambda batch: ()
    carried: Any = ()
    report: Callable[[Mapping[str, float]], dict[str, float]] = perplexity
    progress: str = "nll"


def with_dropout(model: Seq2SeqConfig, config: TrainingConfig, masks=None) -> Seq2SeqConfig:
    """The model's configuration with the dropout rates of this training: scaled by `config` and by density.

    Args: masks: of a pruned model. Under a pruning schedule they change, and the step scales by the current density.
    """
    scale = config.dropout_scale
    if config.dropout_by_density and masks is not None and config.pruning.schedule == "none":
        scale *= math.sqrt(1 - pruning.count(masks).sparsity)
    return replace(model, dropout=scale * model.dropout, output_dropout=scale * model.output_dropout)
