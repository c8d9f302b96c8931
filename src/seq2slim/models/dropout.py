"""Dropout as a pure function of its key."""

import jax
import jax.numpy as jnp


def split_key(key, count):
    """List of `count` independent keys, or of `count` None if `key` is None (no dropout)."""
    return [None] * count if key is None else list(jax.random.split(key, count))


def dropout(key, x, rate):
    """Zeroes each value with probability `rate` and scales the others by 1 / (1 - rate); `x` itself if key is None.

    Inverted dropout: the expectation over keys is `x` (Srivastava et al. 2014).

    Args: key: PRNG key or None. x: float array, any shape. rate: Python float, or traced f32[], in [0, 1).
    Returns: like `x`.
    """
    if key is None or (isinstance(rate, int | float) and rate == 0):
        return x
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), (x / (1 - rate)).astype(x.dtype), 0)


def scaled(rate: float, scale):
    """`rate`, or `scale` times it: a Python float, or f32[] if `scale` is traced. scale: f32[] or None."""
    return rate if scale is None or rate == 0 else scale * rate
