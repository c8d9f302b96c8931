"""The three magnitude-pruning schemes of See et al. (2016, sec. 3.3), and two controls that ignore magnitude.

All take any pytree of arrays and return masks. Concrete arrays are handled on the host, exactly, and the masks come
back as arrays of the default device; traced ones under jit, where `sparsity` stays a Python float. On the host the
schemes go block by block; the controls hold a float32 draw for every prunable weight. Counts are round(x N), taken on
the host in float64, of *all* N prunable weights: those that `masks` has pruned before count too, go first and never
come back (so a sparsity below theirs changes nothing). Equal scores go in order of position: leaf order, then C-order
index.
"""

from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim.pruning import selection, selection_traced
from seq2slim.pruning.classes import NEVER_PRUNED, class_names, leaf_paths
from seq2slim.pruning.masks import kept_arrays


def class_blind(params, sparsity: float, *, classes=None, masks=None):
    """Masks that prune the round(x N) smallest |w| of all classes together (See et al. 2016, sec. 3.3).

    Args:
      params: pytree of arrays.
      sparsity: x, fraction of all prunable weights to remove, a Python float in [0, 1].
      classes: class name of each leaf, same structure; only `NEVER_PRUNED` matters here. None: `each_leaf`.
      masks: of an earlier pruning, or None.
    Returns: masks, same structure; bool arrays shaped like the leaf, True keeps; where never pruned a scalar True, or
      what `masks` has there.
    Raises: TypeError if sparsity is no Python number; ValueError if it is outside [0, 1], nothing is prunable, a class
      has no weight, `masks` does not fit, or a concrete weight is NaN.
    """
    tree = _Prunable(params, classes, masks)
    return tree.prune([(tree.all, _rounded(sparsity, tree.size(tree.all)))])


def class_uniform(params, sparsity: float, *, classes=None, masks=None):
    """Masks that prune the round(x N_c) smallest |w| within each class c (See et al. 2016, sec. 3.3).

    Arguments, result and errors as in `class_blind`; the total is the sum of the rounded counts.
    """
    tree = _Prunable(params, classes, masks)
    return tree.prune([(group, _rounded(sparsity, tree.size(group))) for group in tree.groups.values()])


def class_distribution(params, sparsity: float, *, classes=None, masks=None):
    """Masks that prune |w| < lambda * sigma_c, with one lambda for all classes (See et al. 2016, sec. 3.3).

    sigma_c is the population standard deviation of class c, mean subtracted; lambda is the x-quantile of |w| / sigma_c
    over all prunable weights, so exactly round(x N) weights go. Where sigma_c is 0 every score is infinite: that class
    goes last. With `masks`, sigma_c is over the weights still kept: zeros are no sample of a class, and the result does
    not depend on whether the pruned weights were zeroed already.

    Concrete arrays: sigma and scores in float64. Under jit, where float64 is not there, sigma is summed pairwise in
    float32 and scores are float32, so a few weights in a million at the threshold may differ; the count is exact in
    both.

    Arguments and result as in `class_blind`.
    Raises: as `class_blind`, and ValueError if a concrete class has a deviation that is not finite.
    """
    tree = _Prunable(params, classes, masks)
    sigmas = [None] * len(tree.leaves)
    for name, group in tree.groups.items():
        sigma = tree.deviation(name, group)
        for n in group:
            sigmas[n] = sigma
    return tree.prune([(tree.all, _rounded(sparsity, tree.size(tree.all)))], scales=sigmas)


def random(params, sparsity: float, key, *, classes=None, masks=None):
    """Control: round(x N) prunable weights drawn uniformly, whatever their magnitude.

    Args: `key`: a `jax.random` key; the others, result and errors as in `class_blind`. One key at growing sparsity
      nests.
    """
    tree = _Prunable(params, classes, masks)
    return tree.prune([(tree.all, _rounded(sparsity, tree.size(tree.all)))], scores=tree.uniform(key))


def shuffled_within_class(masks, key, *, classes=None):
    """Control: masks with as many weights pruned in each class as `masks` has, at places drawn uniformly.

    It keeps what a scheme gave to each class, and forgets which weights it chose there.

    Args:
      masks: of any scheme; concrete or traced.
      key: a `jax.random` key.
      classes: class name of each leaf, same structure. None: each leaf that has a mask is a class.
    Returns: masks, same structure and shapes.
    Raises: ValueError if `classes` has another structure, or makes a leaf without a mask prunable.
    """
    leaves, treedef = jax.tree.flatten(masks)
    if classes is None:
        names = [NEVER_PRUNED if jnp.ndim(m) == 0 else path for path, m in zip(leaf_paths(masks), leaves)]
        classes = treedef.unflatten(names)
    stand_ins = treedef.unflatten([jax.ShapeDtypeStruct(jnp.shape(m), jnp.float32) for m in leaves])
    tree = _Prunable(stand_ins, classes, None)
    uncovered = [n for n, m in enumerate(leaves) if jnp.ndim(m) > 0 and n not in tree.all]
    if uncovered:
        raise ValueError(f"classes never prunes {leaf_paths(masks)[uncovered[0]]!r}, but it has a mask")
    tree.traced = _any_traced(leaves)
    counts = []
    for group in tree.groups.values():
        if tree.traced:
            pruned = sum(jnp.sum(~leaves[n], dtype=jnp.uint32) for n in group)
        else:
            pruned = sum(leaves[n].size - int(np.count_nonzero(leaves[n])) for n in group)
        counts.append((group, pruned))
    return tree.prune(counts, scores=tree.uniform(key))


class _Prunable:
    """Params flattened: its leaves, which of them belong to each class, and what is already pruned."""

    def __init__(self, params, classes, masks):
        self.leaves, self.treedef = jax.tree.flatten(params)
        self.paths = leaf_paths(params)
        self.kept = [True] * len(self.leaves) if masks is None else kept_arrays(params, masks)
        self.groups = defaultdict(list)
        for n, name in enumerate(class_names(params, classes)):
            if name != NEVER_PRUNED:
                self.groups[name].append(n)
        self.all = sorted(n for group in self.groups.values() for n in group)
        self.traced = _any_traced([*self.leaves, *self.kept])
        if not self.groups:
            raise ValueError("no leaf of params is prunable; by default only floating leaves with ndim >= 2 are")
        for name, group in self.groups.items():
            if self.size(group) == 0:
                raise ValueError(f"class {name!r} has no weight")

    def size(self, group):
        return sum(self.leaves[n].size for n in group)

    def deviation(self, name, group):
        weights, kept = [self.leaves[n] for n in group], [self.kept[n] for n in group]
        if self.traced:
            return selection_traced.deviation(weights, kept)
        sigma = selection.deviation(weights, kept)
        if not np.isfinite(sigma):
            raise ValueError(f"class {name!r} has standard deviation {sigma}; its weights must be finite")
        return sigma

    def uniform(self, key):
        """float32 scores in [0, 1) shaped like each prunable leaf, None for the others; each drawn from its own key."""
        return [
            jax.random.uniform(jax.random.fold_in(key, n), leaf.shape, jnp.float32) if n in self.all else None
            for n, leaf in enumerate(self.leaves)
        ]

    def prune(self, counts, scores=None, scales=None):
        """Masks that prune the k smallest in each (group of leaves, k); by |leaf|, or by `scores` in its place."""
        scores = self.leaves if scores is None else scores
        traced = self.traced or _any_traced(scores)
        # What was pruned before stays pruned, also in a leaf that is never pruned now.
        masks = [jnp.array(True) if jnp.ndim(kept) == 0 else jnp.asarray(kept) for kept in self.kept]
        for group, k in counts:
            weights, kept = [scores[n] for n in group], [self.kept[n] for n in group]
            group_scales = None if scales is None else [scales[n] for n in group]
            if traced:
                kept_weights = selection_traced.keep_largest(weights, k, group_scales, kept)
            else:
                paths = [self.paths[n] for n in group]
                kept_weights = map(jnp.asarray, selection.keep_largest(weights, k, group_scales, kept, paths))
            for n, mask in zip(group, kept_weights):
                masks[n] = mask
        return self.treedef.unflatten(masks)


def _rounded(sparsity, size):
    """round(x N), of Python floats: float32 would be off by 3 at 0.8 of 216M."""
    if not isinstance(sparsity, int | float):
        raise TypeError(
            f"sparsity must be a Python float, static under jit; got {sparsity!r} ({type(sparsity).__name__})"
        )
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is the fraction to remove, in [0, 1]; got {sparsity}")
    return round(float(sparsity) * size)


def _any_traced(leaves):
    return any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
