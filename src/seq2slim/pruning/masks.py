"""Mask pytrees: structure of params, bool arrays, True keeps; a scalar True for a leaf that is never pruned."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim.pruning.classes import NEVER_PRUNED, class_names


class MaskCounts(NamedTuple):
    """Prunable weights under a mask tree; never-pruned leaves are not counted."""

    kept: int
    total: int

    @property
    def sparsity(self):
        """Fraction pruned, in [0, 1]; 0 when nothing is prunable."""
        return 1 - self.kept / self.total if self.total else 0.0


class MaskOverlap(NamedTuple):
    """Agreement of two mask trees over the same weights, in numbers of weights."""

    both_kept: int
    only_first: int
    only_second: int
    both_pruned: int

    @property
    def jaccard(self):
        """Weights kept by both over weights kept by either, in [0, 1]; 1 for equal masks."""
        either = self.both_kept + self.only_first + self.only_second
        return self.both_kept / either if either else 1.0


def apply_masks(params, masks):
    """Params with every pruned weight set to exactly +0.0: where(mask, w, 0).

    Args:
      params: pytree of arrays.
      masks: same structure; bool arrays shaped like the leaf, True keeps. Leaves with a scalar mask are returned
        untouched.
    Returns: params, same structure, shapes and dtypes. Runs under jit.
    Raises: ValueError if structures or shapes differ, or a mask is not bool.

    >>> masks = {"bias": jnp.array(True), "kernel": jnp.array([[True, False]])}
    >>> params = pruning.apply_masks({"bias": jnp.ones(2), "kernel": jnp.array([[-3.0, 4.0]])}, masks)
    >>> params["kernel"].tolist(), params["bias"].tolist()
    ([[-3.0, 0.0]], [1.0, 1.0])
    """
    leaves, treedef = jax.tree.flatten(params)
    return treedef.unflatten(map(_apply_mask, leaves, kept_arrays(params, masks)))


def all_true(params, classes=None):
    """Masks that keep every weight, with the shapes that a scheme would return for the same `params` and `classes`.

    >>> masks = pruning.all_true({"bias": jnp.ones(3), "kernel": jnp.ones((2, 3))})
    >>> masks["bias"].shape, masks["kernel"].shape
    ((), (2, 3))
    """
    leaves, treedef = jax.tree.flatten(params)
    names = class_names(params, classes)
    return treedef.unflatten(
        [jnp.array(True) if name == NEVER_PRUNED else jnp.ones(leaf.shape, bool) for leaf, name in zip(leaves, names)]
    )


def count(masks) -> MaskCounts:
    """Kept and total weights of concrete `masks`, over all leaves whose mask is not a scalar.

    Those are the prunable leaves, and any leaf that is not prunable now but was pruned before.

    >>> counts = pruning.count({"bias": jnp.array(True), "kernel": jnp.array([[True, False, False, False]])})
    >>> counts, counts.sparsity
    (MaskCounts(kept=1, total=4), 0.75)
    """
    arrays = [np.asarray(mask) for mask in jax.tree.leaves(masks) if jnp.ndim(mask) > 0]
    return MaskCounts(sum(int(np.count_nonzero(mask)) for mask in arrays), sum(mask.size for mask in arrays))


def density(masks):
    """Fraction of the prunable weights that `masks` keeps, f32[] in [0, 1]; runs under jit. 1 if none is prunable.

    For concrete masks `count` gives the exact numbers.

    >>> float(jax.jit(pruning.density)({"bias": jnp.array(True), "kernel": jnp.array([[True, False, False, False]])}))
    0.25
    """
    arrays = [mask for mask in jax.tree.leaves(masks) if jnp.ndim(mask) > 0]
    kept = sum(jnp.sum(mask, dtype=jnp.uint32) for mask in arrays)
    total = sum(mask.size for mask in arrays)
    return jnp.asarray(kept, jnp.float32) / total if total else jnp.float32(1)


def overlap(first, second) -> MaskOverlap:
    """Compare two concrete mask trees over the same params.

    Raises: ValueError if their structures or shapes differ.

    >>> found = pruning.overlap({"w": jnp.array([True, True, False])}, {"w": jnp.array([True, False, False])})
    >>> found, found.jaccard
    (MaskOverlap(both_kept=1, only_first=1, only_second=0, both_pruned=1), 0.5)
    """
    if jax.tree.structure(first) != jax.tree.structure(second):
        raise ValueError("the two mask trees differ in structure")
    both = first_kept = second_kept = total = 0
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second)):
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            raise ValueError(f"masks of one leaf differ in shape: {a.shape} and {b.shape}")
        if a.ndim:
            both += int(np.count_nonzero(a & b))
            first_kept += int(np.count_nonzero(a))
            second_kept += int(np.count_nonzero(b))
            total += a.size
    return MaskOverlap(both, first_kept - both, second_kept - both, total - first_kept - second_kept + both)


def kept_arrays(params, masks):
    """The mask of each leaf of `params`, in leaf order, checked; a scalar mask stands for "all kept". Returns: list.

    Raises: ValueError if structures or shapes differ, or a mask is not bool.
    """
    expected, got = jax.tree.structure(params), jax.tree.structure(masks)
    if expected != got:
        raise ValueError(f"masks must have the structure of params, {expected}; got {got}")
    leaves = jax.tree.leaves(masks)
    for weight, mask in zip(jax.tree.leaves(params), leaves):
        _check_mask(weight, mask)
    return leaves


def _apply_mask(weight, mask):
    if jnp.ndim(mask) == 0:
        return weight
    concrete = isinstance(weight, np.ndarray) and not isinstance(mask, jax.core.Tracer)
    if concrete and weight.dtype != jnp.result_type(weight):  # float64, which jax would narrow
        return np.where(np.asarray(mask), weight, weight.dtype.type(0))
    return jnp.where(mask, weight, jnp.zeros((), jnp.result_type(weight)))


def _check_mask(weight, mask):
    shape = getattr(weight, "shape", ())
    if jnp.ndim(mask) > 0 and mask.shape != shape:
        raise ValueError(f"a mask of shape {mask.shape} lies over a weight of shape {shape}")
    if not jnp.issubdtype(jnp.result_type(mask), jnp.bool_):
        raise ValueError(f"the mask over a weight of shape {shape} must be bool, got {jnp.result_type(mask)}")
