"""Word-level knowledge distillation (Kim & Rush 2016, sec. 3.1), with a custom VJP."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from seq2slim.losses.softmax_layer import gradients, logits, parts


class SoftmaxLayer(NamedTuple):
    """A teacher that runs with the student: softmax(hidden W + b).

    hidden: f32[T, B, H]. kernel: W f32[H, V]. bias: b f32[V] or None.
    """

    hidden: jax.Array
    kernel: jax.Array
    bias: jax.Array | None


class TopK(NamedTuple):
    """A teacher's k most probable words at each target position, as stored.

    words: int32[T, B, k], distinct outside padding. log_probs: f32[T, B, k], nats, at temperature 1, normalised over
    the whole vocabulary: the k probabilities need not sum to one.
    """

    words: jax.Array
    log_probs: jax.Array


Teacher = SoftmaxLayer | TopK


def taught_distribution(teachers: Sequence[Teacher], vocabulary: int, temperature: float = 1.0):
    """The distribution q that a student learns from: the teachers' mean p at a temperature; f32[N, V].

    q_v = p_v^(1/t) / sum_u p_u^(1/t); for one teacher with logits z it is softmax(z / t). The k words of a top-k store
    are renormalised to sum to 1, and all others get 0. With k = V that is the stored distribution, so an ensemble that
    runs with the student and its stored words give equal q.

    Args:
      teachers: at N = T*B positions.
      vocabulary: V.
      temperature: t, above 0; 1 in the paper.
    Raises: ValueError without a teacher, or for a temperature that is not above 0.
    """
    if not teachers:
        raise ValueError("word-level distillation needs a teacher")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    p = [_probabilities(teacher, vocabulary) for teacher in teachers]
    p = sum(p[1:], p[0]) / len(p)
    if temperature == 1:
        return p
    raised = (p / p.max(-1, keepdims=True)) ** (1 / temperature)
    return raised / raised.sum(-1, keepdims=True)


def _probabilities(teacher: Teacher, vocabulary: int):
    if isinstance(teacher, TopK):
        rows = teacher.words.reshape(-1, teacher.words.shape[-1])
        kept = jax.nn.softmax(teacher.log_probs.reshape(rows.shape))
        nothing = jnp.zeros((rows.shape[0], vocabulary), kept.dtype)
        return nothing.at[jnp.arange(rows.shape[0])[:, None], rows].add(kept)
    return jax.nn.softmax(logits(*teacher))


@partial(jax.custom_vjp, nondiff_argnums=(6, 7, 8))
def word_distillation(hidden, kernel, bias, labels, weights, teachers, alpha, temperature=1.0, label_smoothing=0.0):
    """(1 - alpha) NLL + alpha cross-entropy with the teacher's distribution q: weighted sums over words, in nats.

    loss = (1 - alpha) CE(label, p_1) - alpha t^2 sum_v q_v log p_tv with p_t = softmax((hidden W + b) / t); the factor
    t^2 keeps the two gradients in proportion at any temperature t (Hinton et al. 2015, sec. 2), and q is the
    `taught_distribution`. The gradient with respect to the logits, (1 - alpha) (p_1 - label) + alpha t (p_t - q), is
    computed with the loss and multiplied out at once: logits and probabilities, of student and teacher, are held for a
    part of the steps only.

    Args:
      hidden: f32[T, B, H], input of the student's softmax layer. kernel: W f32[H, V]. bias: b f32[V] or None.
      labels: int32[T, B].
      weights: f32[T, B], of each word in the sums; 0 at padding. Treated as constant.
      teachers: tuple of Teacher, at the same positions. Treated as constant.
      alpha, temperature: Python floats; the temperature above 0.
      label_smoothing: e of the label's distribution (1 - e) onehot + e / V, a Python float in [0, 1).
    Returns: (loss f32[], nll f32[]); nll = -log p_1 of the label. Only `loss` is differentiable.
    Raises: ValueError without a teacher, or for a temperature that is not above 0.
    """
    options = alpha, temperature, label_smoothing
    total = jnp.zeros(2, kernel.dtype)
    for part in parts(hidden, kernel):
        total = total + _part(hidden, kernel, bias, labels, weights, teachers, part, *options)[0]
    return total[0], total[1]


def _softmax(scores):
    """(log p, p) over the last axis, from one pass of exponentials."""
    shifted = scores - scores.max(-1, keepdims=True)
    exponentials = jnp.exp(shifted)
    sums = exponentials.sum(-1, keepdims=True)
    return shifted - jnp.log(sums), exponentials / sums


def _slice(teacher: Teacher, part) -> Teacher:
    if isinstance(teacher, TopK):
        return TopK(teacher.words[part], teacher.log_probs[part])
    return teacher._replace(hidden=teacher.hidden[part])


def _part(hidden, kernel, bias, labels, weights, teachers, part, alpha, temperature, label_smoothing):
    """((loss, nll) f32[2], gradient of the loss with respect to the logits f32[N, V]) of some of the steps."""
    vocabulary = kernel.shape[-1]
    q = taught_distribution([_slice(teacher, part) for teacher in teachers], vocabulary, temperature)
    scores = logits(hidden[part], kernel, bias)
    labels, weights = labels[part].reshape(-1, 1), weights[part].reshape(-1)
    log_p, p = _softmax(scores)
    nll = -jnp.take_along_axis(log_p, labels, -1)[:, 0]
    hard = (1 - label_smoothing) * nll - label_smoothing * log_p.mean(-1)
    log_p_t, p_t = (log_p, p) if temperature == 1 else _softmax(scores / temperature)
    soft = -(q * log_p_t).sum(-1)
    loss = (1 - alpha) * hard + alpha * temperature**2 * soft
    label = jnp.where(jnp.arange(vocabulary) == labels, 1 - label_smoothing, 0) + label_smoothing / vocabulary
    gradient = (1 - alpha) * (p - label) + alpha * temperature * (p_t - q)
    sums = jnp.stack([(loss * weights).sum(), (nll * weights).sum()])
    return sums, gradient * weights[:, None]


def _fwd(hidden, kernel, bias, labels, weights, teachers, *options):
    total, d_hidden, d_kernel, d_bias = jnp.zeros(2, kernel.dtype), [], 0, 0
    for part in parts(hidden, kernel):
        sums, d_logits = _part(hidden, kernel, bias, labels, weights, teachers, part, *options)
        d_part, d_w, d_b = gradients(hidden[part], kernel, bias, d_logits)
        total, d_kernel = total + sums, d_kernel + d_w
        d_hidden.append(d_part)
        d_bias = None if bias is None else d_bias + d_b
    return (total[0], total[1]), (jnp.concatenate(d_hidden), d_kernel, d_bias)


def _bwd(alpha, temperature, label_smoothing, found, cotangents):
    d_loss, _ = cotangents
    return *jax.tree.map(lambda g: (d_loss * g).astype(g.dtype), found), None, None, None


word_distillation.defvjp(_fwd, _bwd)
