"""Losses of a student that learns word distributions from teachers (Kim & Rush 2016), for `make_train_step`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from seq2slim.losses import SoftmaxLayer, TopK, word_distillation
from seq2slim.models.seq2seq import Seq2Seq
from seq2slim.special_ids import PAD
from seq2slim.training.config import WordDistillationConfig
from seq2slim.training.step import batch_losses


def online_losses(teachers: tuple[Seq2Seq, ...], config: WordDistillationConfig) -> Callable:
    """Losses with the teachers' forward passes inside the step, without dropout and without gradient.

    Returns: as `batch_losses`, with one more argument: a tuple of the parameters of `teachers`, in the same order.
    """

    def losses(model, params, batch, label_smoothing, dropout_key, teacher_params):
        layers = []
        for teacher, own in zip(teachers, jax.lax.stop_gradient(teacher_params), strict=True):
            hidden = teacher.apply({"params": own}, batch.source, batch.target_in, method="hidden")
            layers.append(SoftmaxLayer(hidden, own["softmax"]["kernel"], own["softmax"].get("bias")))
        return _losses(model, params, batch, label_smoothing, dropout_key, tuple(layers), config)

    return losses if config.alpha else _without_teacher


def stored_losses(config: WordDistillationConfig) -> Callable:
    """Losses with stored teacher distributions: as `batch_losses`, with one more argument, the `TopK` of the batch."""

    def losses(model, params, batch, label_smoothing, dropout_key, top_k: TopK):
        return _losses(model, params, batch, label_smoothing, dropout_key, (top_k,), config)

    return losses if config.alpha else _without_teacher


def _without_teacher(model, params, batch, label_smoothing, dropout_key, _):
    return batch_losses(model, params, batch, label_smoothing, dropout_key)


def _losses(model: Seq2Seq, params, batch, label_smoothing, dropout_key, teachers, config: WordDistillationConfig):
    hidden = model.apply({"params": params}, batch.source, batch.target_in, dropout_key, method="hidden")
    softmax, labels = params["softmax"], batch.target_out.T
    weights = (labels != PAD).astype(softmax["kernel"].dtype)
    loss, nll = word_distillation(
        hidden,
        softmax["kernel"],
        softmax.get("bias"),
        labels,
        weights,
        teachers,
        config.alpha,
        config.temperature,
        label_smoothing,
    )
    return loss, nll, jnp.sum(weights)
