"""Schemes: which weights are pruned at a given sparsity.

The three magnitude schemes are those of See et al. (2016, sec. 3.3); two controls ignore magnitude.

All schemes take any pytree of arrays and return masks. Concrete arrays are handled on the host, exactly, and the masks
are arrays of the default device; traced arrays are handled under jit, where `sparsity` stays a Python float. On the
host the schemes work block by block; the controls hold one float32 draw per prunable weight.

Counts are round(x N), taken on the host in float64, of *all* N prunable weights. Weights that `masks` has pruned before
count too: they go first and never come back (so a sparsity below theirs changes nothing). Equal scores go in order of
position: leaf order, then C-order index.
"""

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim.pruning.classes import NEVER_PRUNED, leaf_paths
from seq2slim.pruning.prunable import Prunable, any_traced, uniform_scores


def class_blind(params, sparsity: float, *, classes=None, masks=None, scores=None, key=None):
    """Masks that prune the round(x N) smallest |w| of all classes together (See et al. 2016, sec. 3.3).

    Args:
      params: pytree of arrays.
      sparsity: x, fraction of all prunable weights to remove, a Python float in [0, 1].
      classes: class name of each leaf, same structure; only `NEVER_PRUNED` matters here. None: `each_leaf`.
      masks: of an earlier pruning, or None.
      scores: ranked in place of |w|, lowest first: same structure, non-negative float arrays shaped like the leaves.
        Those of never-pruned leaves are ignored. Traced ones cannot be checked: of a negative one the magnitude counts.
      key: ignored; only `random` draws.
    Returns: masks, same structure; bool arrays shaped like the leaf, True keeps; where never pruned a scalar True, or
      what `masks` has there.
    Raises: TypeError if sparsity is not a Python number; ValueError if it is outside [0, 1], nothing is prunable, a
      class has no weight, `masks` or `scores` does not fit, or a concrete weight is NaN (with `scores`: a concrete
      score is NaN or negative). Weights that `masks` has pruned are not checked.

    >>> params = {"kernel": jnp.array([[1.0, -2.0], [3.0, -4.0]]), "softmax": jnp.array([[5.0, -6.0]])}
    >>> masks = pruning.class_blind(params, 0.5)
    >>> jax.tree.map(lambda mask: mask.tolist(), masks)
    {'kernel': [[False, False], [False, True]], 'softmax': [[True, True]]}

    With scores of one's own, and what was pruned before:

    >>> scores = {"kernel": jnp.ones((2, 2)), "softmax": jnp.zeros((1, 2))}
    >>> masks = pruning.class_blind(params, 0.75, masks=masks, scores=scores)
    >>> jax.tree.map(lambda mask: mask.tolist(), masks)
    {'kernel': [[False, False], [False, True]], 'softmax': [[False, True]]}
    """
    del key
    tree = Prunable(params, classes, masks, scores)
    return tree.prune([tree.share(tree.all, sparsity)])


def class_uniform(params, sparsity: float, *, classes=None, masks=None, scores=None, key=None):
    """Masks that prune the round(x N_c) smallest |w| within each class c (See et al. 2016, sec. 3.3).

    Arguments, result and errors as in `class_blind`; the total is the sum of the rounded counts.

    >>> params = {"embedding": jnp.array([[1.0, 2.0]]), "layers": [jnp.array([[3.0, 4.0]]), jnp.array([[5.0, 6.0]])]}
    >>> classes = {"embedding": "words", "layers": ["layers", "layers"]}
    >>> masks = pruning.class_uniform(params, 0.5, classes=classes)
    >>> jax.tree.map(lambda mask: mask.tolist(), masks)
    {'embedding': [[False, True]], 'layers': [[[False, False]], [[True, True]]]}
    """
    del key
    tree = Prunable(params, classes, masks, scores)
    return tree.prune([tree.share(group, sparsity) for group in tree.groups.values()])


def class_distribution(params, sparsity: float, *, classes=None, masks=None, scores=None, key=None):
    """Masks that prune |w| < lambda * sigma_c, with one lambda for all classes (See et al. 2016, sec. 3.3).

    sigma_c is the population standard deviation of class c, mean subtracted; lambda is the x-quantile of |w| / sigma_c
    over all prunable weights, so exactly round(x N) weights go. Where sigma_c is 0 every weight scores infinity: that
    class goes last. With `masks`, sigma_c is over the weights still kept: zeros are no sample of a class, and the
    result does not depend on whether the pruned weights were zeroed already. With `scores`, sigma_c is that of the
    scores of class c, and scores / sigma_c are ranked.

    Concrete arrays: sigma and quotients in float64. Under jit, where float64 is off, sigma is summed pairwise in
    float32 and quotients are float32, so a few weights in a million at the threshold may differ; the count is exact in
    both.

    Arguments and result as in `class_blind`.
    Raises: as `class_blind`, and ValueError if a concrete class has a deviation that is not finite.

    >>> params = {"narrow": jnp.array([[1.0, -1.0, 2.0, -2.0]]), "wide": jnp.array([[10.0, -10.0, 30.0, -30.0]])}
    >>> masks = pruning.class_distribution(params, 0.5)
    >>> jax.tree.map(lambda mask: mask.tolist(), masks)
    {'narrow': [[False, False, True, True]], 'wide': [[False, False, True, True]]}
    """
    del key
    tree = Prunable(params, classes, masks, scores)
    sigmas = [None] * len(tree.leaves)
    for name, group in tree.groups.items():
        sigma = tree.deviation(name)
        for n in group:
            sigmas[n] = sigma
    return tree.prune([tree.share(tree.all, sparsity)], scales=sigmas)


def random(params, sparsity: float, key=None, *, classes=None, masks=None, scores=None):
    """Control: round(x N) prunable weights drawn uniformly, whatever their magnitudes or `scores`.

    This is `class_blind` with scores drawn uniformly. Masks of one key nest as the sparsity grows.

    Args: `key`: a `jax.random` key; the others and the result as in `class_blind`.
    Raises: as `class_blind`, and TypeError without a key.

    >>> masks = pruning.random({"kernel": jnp.ones((4, 5))}, 0.25, jax.random.key(0))
    >>> pruning.count(masks)
    MaskCounts(kept=15, total=20)
    """
    del scores
    if key is None:
        raise TypeError("random needs key=, a jax.random key")
    drawn = uniform_scores(params, key, classes)
    return class_blind(params, sparsity, classes=classes, masks=masks, scores=drawn)


def shuffled_within_class(masks, key, *, classes=None):
    """Control: masks with as many weights pruned in each class as `masks` has, at places drawn uniformly.

    It keeps the number pruned in each class, not which weights they are.

    Args:
      masks: of any scheme; concrete or traced.
      key: a `jax.random` key.
      classes: class name of each leaf, same structure. None: each leaf that has a mask is a class.
    Returns: masks, same structure and shapes.
    Raises: ValueError if `classes` has another structure, or makes a leaf without a mask prunable.

    >>> masks = {"bias": jnp.array(True), "kernel": jnp.arange(20) >= 5}
    >>> pruning.count(pruning.shuffled_within_class(masks, jax.random.key(0)))
    MaskCounts(kept=15, total=20)
    """
    leaves, treedef = jax.tree.flatten(masks)
    if classes is None:
        names = [NEVER_PRUNED if jnp.ndim(m) == 0 else path for path, m in zip(leaf_paths(masks), leaves)]
        classes = treedef.unflatten(names)
    stand_ins = treedef.unflatten([jax.ShapeDtypeStruct(jnp.shape(m), jnp.float32) for m in leaves])
    tree = Prunable(stand_ins, classes, scores=uniform_scores(stand_ins, key, classes))
    uncovered = [n for n, m in enumerate(leaves) if jnp.ndim(m) > 0 and n not in tree.all]
    if uncovered:
        raise ValueError(f"classes never prunes {tree.paths[uncovered[0]]!r}, but it has a mask")
    traced = any_traced(leaves)
    counts = []
    for group in tree.groups.values():
        if traced:
            pruned = sum(jnp.sum(~leaves[n], dtype=jnp.uint32) for n in group)
        else:
            pruned = sum(leaves[n].size - int(np.count_nonzero(leaves[n])) for n in group)
        counts.append((group, pruned))
    return tree.prune(counts)
