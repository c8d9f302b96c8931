"""The exact top k of many candidates, without sorting them all."""

import math

import jax
import jax.numpy as jnp

# Up to this many candidates one `lax.top_k` is as fast as two smaller ones.
DIRECT = 1024


def top_k(values: jax.Array, k: int, group: int | None = None) -> tuple[jax.Array, jax.Array]:
    """The k largest values of each row, best first, ties by lowest index: exactly as in a stable sort.

    Two levels: the row is cut into groups of consecutive candidates. Only the k groups with the largest maxima (ties by
    lowest group) can hold a winner: each has a member that beats all members of any other group. Those k * group
    candidates, in their original order, are then searched directly.

    Args:
      values: f32[B, N] without NaN, N >= k; -inf is an ordinary value.
      k: static, at least 1.
      group: candidates per group, static; by default about sqrt(N / k), which balances both levels.
    Returns: (values f32[B, k], indices int32[B, k] into the row).
    Raises: ValueError if k is not in 1..N, or the group is below 1.
    """
    batch, count = values.shape
    if not 1 <= k <= count:
        raise ValueError(f"k must be in 1..{count} (the number of candidates), got {k}")
    if group is None:
        group = 1 if count <= DIRECT else 2 ** round(math.log2(math.sqrt(count / k)))
    if group < 1:
        raise ValueError(f"group must be at least 1 candidate, got {group}")
    groups = -(-count // group)
    if group == 1 or groups <= k:
        return jax.lax.top_k(values, k)

    filled = jnp.pad(values, ((0, 0), (0, groups * group - count)), constant_values=-jnp.inf)
    grouped = filled.reshape(batch, groups, group)
    _, best_groups = jax.lax.top_k(grouped.max(axis=-1), k)  # int32[B, k]
    best_groups = jnp.sort(best_groups, axis=-1)  # original order again, so that ties still go to the lowest index
    members = jnp.take_along_axis(grouped, best_groups[:, :, None], axis=1)  # f32[B, k, group]
    best, position = jax.lax.top_k(members.reshape(batch, k * group), k)
    index = jnp.take_along_axis(best_groups, position // group, axis=1) * group + position % group
    return best, index
