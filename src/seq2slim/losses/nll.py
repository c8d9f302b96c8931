"""Negative log-likelihood of the target words, with a vector-Jacobian product of its own."""

from functools import partial

import jax
import jax.numpy as jnp


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def cross_entropy(logits, labels, label_smoothing=0.0):
    """Cross-entropy of each word with its smoothed label, and its negative log-likelihood, in nats.

    loss = -sum_v q_v log p_v with q = (1 - e) onehot(label) + e / V (Szegedy et al. 2016);  nll = -log p_label.
    The softmax is computed once: the forward pass already makes the gradient p - q that the backward pass scales.

    Args:
      logits: f32[..., V].
      labels: int32[...].
      label_smoothing: e, a Python float in [0, 1).
    Returns: (loss f32[...], nll f32[...]). Only `loss` is differentiable; the gradient of `nll` is taken as zero.
    """
    return _losses(logits, labels, label_smoothing)[:2]


def _losses(logits, labels, label_smoothing):
    shifted = logits - jax.lax.stop_gradient(logits.max(-1, keepdims=True))
    exponentials = jnp.exp(shifted)
    total = exponentials.sum(-1)
    log_total = jnp.log(total)
    nll = log_total - jnp.take_along_axis(shifted, labels[..., None], -1)[..., 0]
    if label_smoothing == 0:
        return nll, nll, exponentials, total
    uniform = log_total - shifted.mean(-1)
    return (1 - label_smoothing) * nll + label_smoothing * uniform, nll, exponentials, total


def _fwd(logits, labels, label_smoothing):
    loss, nll, exponentials, total = _losses(logits, labels, label_smoothing)
    vocabulary = logits.shape[-1]
    at_label = jnp.arange(vocabulary) == labels[..., None]
    gradient = (
        exponentials / total[..., None] - jnp.where(at_label, 1 - label_smoothing, 0) - label_smoothing / vocabulary
    )
    return (loss, nll), gradient


def _bwd(label_smoothing, gradient, cotangents):
    d_loss, _ = cotangents
    return d_loss[..., None] * gradient, None


cross_entropy.defvjp(_fwd, _bwd)
