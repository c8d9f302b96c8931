"""`selection` under jit: the same masks, found by counting only, so it lowers for CPU, GPU and TPU alike.

The key of a score is its bit pattern; bit patterns of non-negative floats have the order of the floats. The k-th
smallest key is built bit by bit from the top, each by counting the keys below a candidate; a second search of the same
kind finds the position up to which tied weights are pruned. Nothing is sorted, gathered or accumulated along an array.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

MAX_WEIGHTS = 2**32 - 1  # counts and positions are uint32


def keep_largest(weights: Sequence, k, scales=None, kept=None) -> list[jax.Array]:
    """Masks that prune exactly the k smallest scores |w| / scale, and whatever was pruned before; ties by position.

    Scores are float32 (float64 if a leaf is); without `scales` the masks equal those of `selection.keep_largest` bit
    for bit.

    Args:
      weights: floating arrays of any shapes, traced or not. A NaN scores above infinity.
      k: how many to prune, int or traced uint32[], 0 <= k <= N.
      scales: one scalar per array, or None; a scale of 0 makes every score infinite.
      kept: existing masks, bool arrays of the same shapes or scalars ("all kept"); None keeps all.
    Returns: bool arrays of the same shapes, True keeps.
    Raises: ValueError for more than 2^32 - 1 weights.
    """
    size = sum(w.size for w in weights)
    if size > MAX_WEIGHTS:
        raise ValueError(f"at most {MAX_WEIGHTS} weights can be pruned together under jit; got {size}")
    kept = [jnp.array(True)] * len(weights) if kept is None else kept
    scales = [None] * len(weights) if scales is None else scales
    wide = any(w.dtype == jnp.float64 for w in weights)
    keys = [_key(w, scale, mask, wide) for w, scale, mask in zip(weights, scales, kept)]
    k = jnp.asarray(k, jnp.uint32)

    # The smallest key with at least k keys up to it. It equals the largest with fewer than k keys below it, which
    # `_largest` finds.
    width = (64, jnp.uint64) if wide else (32, jnp.uint32)
    pivot = _largest(lambda limit: _count([key < limit for key in keys]) < k, *width)
    ties = k - _count([key < pivot for key in keys])
    tied = [key == pivot for key in keys]
    starts = np.cumsum([0] + [w.size for w in weights])[:-1]
    places = [_positions(w.shape, start) for w, start in zip(weights, starts)]

    def few_before(limit):
        return _count([t & (place < limit) for t, place in zip(tied, places)]) <= ties

    end = _largest(few_before, size.bit_length())
    return [((key > pivot) | (t & (place >= end))) & mask for key, t, place, mask in zip(keys, tied, places, kept)]


def deviation(weights: Sequence, kept=None) -> jax.Array:
    """Population standard deviation of the kept weights of several arrays, within a few float32 roundings.

    float64 is off under jit by default. So weights are mapped to [0, 1] by their range, where squares neither overflow
    nor vanish, and sums are taken over runs of 128 numbers, then over runs of 128 of those, and so on, which keeps
    rounding errors near 1e-6.

    Args: weights, kept: as in `keep_largest`.
    Returns: f32[] (f64[] if a leaf is); exactly 0 for equal weights, or none.
    """
    kept = [jnp.array(True)] * len(weights) if kept is None else kept
    dtype = jnp.float64 if any(w.dtype == jnp.float64 for w in weights) else jnp.float32
    kept = [jnp.broadcast_to(mask, w.shape) for w, mask in zip(weights, kept)]
    pairs = [(w.astype(dtype), mask) for w, mask in zip(weights, kept) if w.size]
    low = jnp.stack([jnp.min(jnp.where(mask, w, jnp.inf)) for w, mask in pairs]).min()
    high = jnp.stack([jnp.max(jnp.where(mask, w, -jnp.inf)) for w, mask in pairs]).max()
    spread = high - low
    total = _count([mask for _, mask in pairs]).astype(dtype)
    unit = [((w - low) / spread, mask) for w, mask in pairs]
    mean = sum(_sum(jnp.where(mask, u, 0)) for u, mask in unit) / total
    squares = sum(_sum(jnp.where(mask, (u - mean) ** 2, 0)) for u, mask in unit)
    return jnp.where(spread > 0, spread * jnp.sqrt(squares / total), jnp.zeros((), dtype))


def _key(weight, scale, kept, wide):
    """Unsigned keys in the order of the scores, 0 where already pruned."""
    dtype, bits = (jnp.float64, jnp.uint64) if wide else (jnp.float32, jnp.uint32)
    score = jnp.abs(weight.astype(dtype))
    if scale is not None:
        score = jnp.where(scale > 0, score / scale, jnp.inf)
    return jnp.where(kept, jax.lax.bitcast_convert_type(score, bits) + 1, 0)


def _largest(accepts, bits, dtype=jnp.uint32):
    """The largest unsigned number of `bits` bits that `accepts`, a predicate true from 0 up to some number only."""

    def refine(n, prefix):
        candidate = prefix | (jnp.ones((), dtype) << (bits - 1 - n).astype(dtype))
        return jnp.where(accepts(candidate), candidate, prefix)

    # One candidate per pass: XLA for CPU does not fuse the counts of several, and is slower with 3 or 15 of them.
    return jax.lax.fori_loop(0, bits, refine, jnp.zeros((), dtype))


def _count(flags):
    return sum(jnp.sum(flag, dtype=jnp.uint32) for flag in flags)


def _positions(shape, start):
    """uint32 C-order index of every weight, counted from `start`."""
    strides = np.cumprod([1, *shape[:0:-1]])[::-1]
    index = jnp.asarray(start, jnp.uint32)
    for axis, stride in enumerate(strides):
        index = index + jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * np.uint32(stride)
    return index


def _sum(values):
    """The sum of all elements in runs of 128."""
    values = values.reshape(-1)
    while values.size > 1:
        values = jnp.pad(values, (0, -values.size % 128)).reshape(-1, 128).sum(axis=-1)
    return values.sum()
