"""Negative log-likelihood of the target words, from the softmax layer on, with a custom VJP."""

from functools import partial

import jax
import jax.numpy as jnp

from seq2slim.losses.softmax_layer import gradients, logits, parts


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def cross_entropy(hidden, kernel, bias, labels, weights, label_smoothing=0.0):
    """Cross-entropy with smoothed labels, and negative log-likelihood: weighted sums over words, in nats.

    p = softmax(hidden W + b);  loss = -sum_v q_v log p_v with q = (1 - e) onehot(label) + e / V (Szegedy et al. 2016);
    nll = -log p_label.

    The gradient p - q is computed with the loss and multiplied out at once, so logits and probabilities are held for a
    part of the steps only: two thirds of the time of autodiff at V=8k, and a fraction of its memory.

    Args:
      hidden: f32[T, B, H], input of the softmax layer; if bf16, the products are bf16, the rest is in the dtype of W.
      kernel: W f32[H, V]. bias: b f32[V] or None.
      labels: int32[T, B].
      weights: f32[T, B], of each word in the sums; 0 at padding. Treated as constant.
      label_smoothing: e, a Python float in [0, 1).
    Returns: (loss f32[], nll f32[]). Only `loss` is differentiable; the gradient of `nll` is zero.
    """
    total = jnp.zeros(2, kernel.dtype)
    for part in parts(hidden, kernel):
        losses, _ = _losses(hidden[part], kernel, bias, labels[part], weights[part], label_smoothing)
        total = total + losses
    return total[0], total[1]


def _losses(hidden, kernel, bias, labels, weights, label_smoothing):
    """((loss, nll) f32[2], (exp(logits - max) f32[N, V], its sums f32[N])) of a part, flattened to N words."""
    scores, labels, weights = logits(hidden, kernel, bias), labels.reshape(-1), weights.reshape(-1)
    shifted = scores - scores.max(-1, keepdims=True)
    exponentials = jnp.exp(shifted)
    sums = exponentials.sum(-1)
    log_sums = jnp.log(sums)
    nll = loss = log_sums - jnp.take_along_axis(shifted, labels[:, None], -1)[:, 0]
    if label_smoothing:
        loss = (1 - label_smoothing) * nll + label_smoothing * (log_sums - shifted.mean(-1))
    return jnp.stack([(loss * weights).sum(), (nll * weights).sum()]), (exponentials, sums)


def _fwd(hidden, kernel, bias, labels, weights, label_smoothing):
    vocabulary = kernel.shape[-1]
    total, d_hidden, d_kernel, d_bias = jnp.zeros(2, kernel.dtype), [], 0, 0
    for part in parts(hidden, kernel):
        losses, (exponentials, sums) = _losses(hidden[part], kernel, bias, labels[part], weights[part], label_smoothing)
        at_label = jnp.arange(vocabulary) == labels[part].reshape(-1, 1)
        p, q = exponentials / sums[:, None], jnp.where(at_label, 1 - label_smoothing, 0) + label_smoothing / vocabulary
        d_part, d_w, d_b = gradients(hidden[part], kernel, bias, (p - q) * weights[part].reshape(-1, 1))
        total, d_kernel = total + losses, d_kernel + d_w
        d_hidden.append(d_part)
        d_bias = None if bias is None else d_bias + d_b
    return (total[0], total[1]), (jnp.concatenate(d_hidden), d_kernel, d_bias)


def _bwd(label_smoothing, found, cotangents):
    d_loss, _ = cotangents
    return *jax.tree.map(lambda g: (d_loss * g).astype(g.dtype), found), None, None


cross_entropy.defvjp(_fwd, _bwd)
