"""The objectives: NLL, and word-level distillation. `OBJECTIVES` has those that need no more than model and options.

To add one, write a function with the arguments of `nll` in a file of its own and enter it in `OBJECTIVES`;
`--training.objective NAME` then chooses it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from seq2slim.errors import UserError, nearest
from seq2slim.losses import SoftmaxLayer, batch_distillation, batch_nll
from seq2slim.models.config import Seq2SeqConfig
from seq2slim.models.seq2seq import Seq2Seq
from seq2slim.training.config import TrainingConfig, WordDistillationConfig
from seq2slim.training.objective import Loss, Objective, with_dropout


def nll(model: Seq2SeqConfig, config: TrainingConfig, masks=None) -> Objective:
    """Negative log-likelihood, with label smoothing.

    Args:
      model: with its full dropout rates.
      config: dropout and label smoothing of the training.
      masks: of a pruned model, or None.
    """
    module = Seq2Seq(with_dropout(model, config, masks))

    def loss(params, batch, extra, carried, noise):
        del extra
        total, nll, _ = batch_nll(module, params, batch, config.label_smoothing, *noise)
        return Loss(total, {"nll": nll}, carried)

    return Objective(loss)


def online_distillation(
    model: Seq2SeqConfig,
    config: TrainingConfig,
    word: WordDistillationConfig,
    teachers: Sequence[tuple[Seq2Seq, Any]],
    masks=None,
) -> Objective:
    """Word-level distillation (Kim & Rush 2016) with the teachers' forward passes inside the step.

    Args:
      model, config, masks: as in `nll`.
      word: weight and temperature.
      teachers: (module, parameters) of each; they run without dropout and get no gradient.
    """
    modules = tuple(module for module, _ in teachers)

    def distributions(extra, batch):
        layers = []
        for teacher, own in zip(modules, jax.lax.stop_gradient(extra[0]), strict=True):
            hidden = teacher.apply({"params": own}, batch.source, batch.target_in, method="hidden")
            layers.append(SoftmaxLayer(hidden, own["softmax"]["kernel"], own["softmax"].get("bias")))
        return layers

    return _distillation(model, config, word, distributions, masks, constants=tuple(own for _, own in teachers))


def stored_distillation(
    model: Seq2SeqConfig, config: TrainingConfig, word: WordDistillationConfig, read: Callable, masks=None
) -> Objective:
    """Word-level distillation (Kim & Rush 2016) from stored words.

    Args:
      model, config, word, masks: as in `online_distillation`.
      read: batch -> `losses.TopK`: words int32[T, B, k] and their log-probabilities f32[T, B, k], nats.
    """
    return _distillation(model, config, word, lambda extra, batch: [extra[1]], masks, read=read)


def _distillation(model, config, word, distributions: Callable, masks, **extra) -> Objective:
    if not word.alpha:  # no teacher has a say, so none is run
        return nll(model, config, masks)
    module = Seq2Seq(with_dropout(model, config, masks))

    def loss(params, batch, extra, carried, noise):
        total, nll, _ = batch_distillation(
            module,
            params,
            batch,
            distributions(extra, batch),
            word.alpha,
            word.temperature,
            config.label_smoothing,
            *noise,
        )
        return Loss(total, {"nll": nll}, carried)

    return Objective(loss, **extra)


OBJECTIVES = {"nll": nll}


def objective_named(name: str) -> Callable[..., Objective]:
    """The maker of an objective in `OBJECTIVES`. Raises: UserError naming the nearest one."""
    if name not in OBJECTIVES:
        raise UserError(f"objective: got {name!r}; {nearest(name, OBJECTIVES)}")
    return OBJECTIVES[name]
