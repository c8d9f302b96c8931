"""Losses of a batch under teacher forcing: a model reads the target, and each of its words is predicted."""

from collections.abc import Sequence

import jax

from seq2slim.losses.nll import cross_entropy
from seq2slim.losses.word_distillation import Teacher, word_distillation
from seq2slim.models.seq2seq import Seq2Seq
from seq2slim.special_ids import PAD


def batch_nll(model: Seq2Seq, params, batch, label_smoothing=0.0, dropout_key=None, dropout_scale=None):
    """Cross-entropy of a batch, summed over its target tokens, in nats.

    Args:
      model: the model.
      params: its parameters, a nested dict without the top-level key "params".
      batch: `data.Batch`; an unused row, all PAD, adds nothing.
      label_smoothing, dropout_key, dropout_scale: as in `cross_entropy` and `Seq2Seq.hidden`.
    Returns: (loss f32[], nll f32[], tokens f32[]: target tokens, EOS counted).
    """
    hidden, softmax, labels, weights = _read(model, params, batch, dropout_key, dropout_scale)
    loss, nll = cross_entropy(hidden, softmax["kernel"], softmax.get("bias"), labels, weights, label_smoothing)
    return loss, nll, weights.sum()


def batch_distillation(
    model: Seq2Seq,
    params,
    batch,
    teachers: Sequence[Teacher],
    alpha: float,
    temperature: float = 1.0,
    label_smoothing=0.0,
    dropout_key=None,
    dropout_scale=None,
):
    """`word_distillation` of a batch: arguments as there and in `batch_nll`. Returns: as `batch_nll`."""
    hidden, softmax, labels, weights = _read(model, params, batch, dropout_key, dropout_scale)
    kernel, bias = softmax["kernel"], softmax.get("bias")
    loss, nll = word_distillation(
        hidden, kernel, bias, labels, weights, tuple(teachers), alpha, temperature, label_smoothing
    )
    return loss, nll, weights.sum()


def _read(model: Seq2Seq, params, batch, dropout_key, dropout_scale) -> tuple[jax.Array, dict, jax.Array, jax.Array]:
    """(attentional vectors f32[T, B, H], the softmax layer, labels int32[T, B], their weights f32[T, B])."""
    hidden = model.apply({"params": params}, batch.source, batch.target_in, dropout_key, dropout_scale, method="hidden")
    softmax, labels = params["softmax"], batch.target_out.T
    return hidden, softmax, labels, (labels != PAD).astype(softmax["kernel"].dtype)
