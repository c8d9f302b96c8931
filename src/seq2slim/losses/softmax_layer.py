"""The softmax layer for the losses: logits are computed in parts; those of a whole batch are never in memory."""

from itertools import pairwise

import jax.numpy as jnp

# Most bytes of logits in memory: beyond, the steps are split into parts. Sized for memory; speed does not depend on it.
LOGITS_BYTES = 1 << 28


def parts(hidden, kernel):
    """Slices of the leading axis whose logits fit in LOGITS_BYTES, as equal in size as possible."""
    steps = hidden.shape[0]
    bytes_per_step = hidden[0].size // hidden.shape[-1] * kernel.shape[-1] * 4
    count = min(steps, -(-steps * bytes_per_step // LOGITS_BYTES)) or 1
    bounds = [steps * k // count for k in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def product(a, b, dtype):
    """a @ b, with b cast to the dtype of a, summed and returned in `dtype`."""
    return jnp.matmul(a, b.astype(a.dtype), preferred_element_type=dtype)


def logits(hidden, kernel, bias):
    """hidden W + b, flattened to N words: f32[..., H], f32[H, V], f32[V] or None -> f32[N, V]."""
    scores = product(hidden.reshape(-1, hidden.shape[-1]), kernel, kernel.dtype)
    return scores if bias is None else scores + bias


def gradients(hidden, kernel, bias, d_logits):
    """(d hidden, d W, d b or None) from d_logits f32[N, V]."""
    narrow, rows = d_logits.astype(hidden.dtype), hidden.reshape(-1, hidden.shape[-1])
    d_hidden = product(narrow, kernel.T, hidden.dtype).reshape(hidden.shape)
    return d_hidden, product(rows.T, narrow, kernel.dtype), None if bias is None else d_logits.sum(0)
