"""`Prunable`: the flattened params that every scheme works on."""

from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim.pruning import selection, selection_traced
from seq2slim.pruning.classes import NEVER_PRUNED, class_names, leaf_paths
from seq2slim.pruning.masks import kept_arrays


class Prunable:
    """The leaves of each class, the values that they are ranked by, and the masks of earlier prunings.

    Attributes:
      groups: class name -> indices of its leaves, in leaf order.
      all: indices of all prunable leaves.
      values: of each leaf the scores, or the weights themselves, whose magnitudes are then the scores.
    """

    def __init__(self, params, classes=None, masks=None, scores=None):
        """Arguments and errors as in `schemes.class_blind`."""
        self.leaves, self.treedef = jax.tree.flatten(params)
        self.paths = leaf_paths(params)
        self.kept = [True] * len(self.leaves) if masks is None else kept_arrays(params, masks)
        self.groups = defaultdict(list)
        for n, name in enumerate(class_names(params, classes)):
            if name != NEVER_PRUNED:
                self.groups[name].append(n)
        self.all = sorted(n for group in self.groups.values() for n in group)
        if not self.groups:
            raise ValueError("no leaf of params is prunable; by default only floating leaves with ndim >= 2 are")
        for name, group in self.groups.items():
            if self.size(group) == 0:
                raise ValueError(f"class {name!r} has no weight")
        self.scored = scores is not None
        self.values = self._checked(scores) if self.scored else self.leaves

    def size(self, group):
        """Number of weights in a group of leaves."""
        return sum(self.leaves[n].size for n in group)

    def share(self, group, sparsity):
        """(group, round(x N)): how many of its N weights to prune at sparsity x. Raises: TypeError, ValueError."""
        if not isinstance(sparsity, int | float):
            raise TypeError(
                f"sparsity must be a Python float, static under jit; got {sparsity!r} ({type(sparsity).__name__})"
            )
        if not 0 <= sparsity <= 1:
            raise ValueError(f"sparsity is the fraction to remove, in [0, 1]; got {sparsity}")
        return group, round(float(sparsity) * self.size(group))  # float32 would be off by 3 at 0.8 of 216M

    def deviation(self, name):
        """Population standard deviation of the kept values of class `name`. Raises: ValueError if it is not finite."""
        values, kept = self._of(self.groups[name])
        if any_traced([*values, *kept]):
            return selection_traced.deviation([jnp.asarray(v) for v in values], kept)
        sigma = selection.deviation(values, kept)
        if not np.isfinite(sigma):
            what = "scores" if self.scored else "weights"
            raise ValueError(f"class {name!r} has standard deviation {sigma}; its {what} must be finite")
        return sigma

    def prune(self, counts, scales=None):
        """Masks that prune the k lowest scores of each (group of leaves, k).

        Args: scales: what the scores of each leaf are divided by, one number per leaf; None for 1.
        """
        # What was pruned before stays pruned, also in a leaf that is never pruned now.
        masks = [jnp.array(True) if jnp.ndim(kept) == 0 else jnp.asarray(kept) for kept in self.kept]
        for group, k in counts:
            values, kept = self._of(group)
            group_scales = None if scales is None else [scales[n] for n in group]
            if any_traced([*values, *kept, k]):
                found = selection_traced.keep_largest([jnp.asarray(v) for v in values], k, group_scales, kept)
            else:
                paths = [self.paths[n] for n in group]
                found = map(jnp.asarray, selection.keep_largest(values, k, group_scales, kept, paths))
            for n, mask in zip(group, found):
                masks[n] = mask
        return self.treedef.unflatten(masks)

    def _of(self, group):
        """(values, existing masks) of a group of leaves."""
        return [self.values[n] for n in group], [self.kept[n] for n in group]

    def _checked(self, scores):
        """Leaves of `scores`; those of never-pruned leaves are not looked at."""
        values, structure = jax.tree.flatten(scores)
        if structure != self.treedef:
            raise ValueError(f"scores must have the structure of params, {self.treedef}; got {structure}")
        for n in self.all:
            path, score, shape = self.paths[n], values[n], self.leaves[n].shape
            if not hasattr(score, "dtype") or score.shape != shape or not jnp.issubdtype(score.dtype, jnp.floating):
                kind = f"{score.dtype}{list(score.shape)}" if hasattr(score, "dtype") else type(score).__name__
                raise ValueError(f"scores of leaf {path!r} must be floats of shape {list(shape)}; got {kind}")
            if not any_traced([score, self.kept[n]]):
                _check_not_negative(np.asarray(score), np.asarray(self.kept[n]), path)
        return values


def uniform_scores(params, key, classes=None):
    """Scores drawn uniformly: float32 in [0, 1) for each prunable leaf, each from its own key; 0.0 for the others."""
    leaves, treedef = jax.tree.flatten(params)
    return treedef.unflatten(
        [
            0.0 if name == NEVER_PRUNED else jax.random.uniform(jax.random.fold_in(key, n), leaf.shape, jnp.float32)
            for n, (leaf, name) in enumerate(zip(leaves, class_names(params, classes)))
        ]
    )


def any_traced(leaves):
    """Whether any of `leaves` is abstract, as under jit."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)


def _check_not_negative(scores, kept, path):
    """Raises: ValueError naming the first score of a kept weight that is NaN or negative."""
    with np.errstate(invalid="ignore"):  # NaN in bfloat16
        if scores.size == 0 or scores.min() >= 0:  # no copy in the usual case; the minimum of a NaN is NaN
            return
        bad = np.argwhere(~(scores >= 0) & kept)
    if bad.size:
        place = tuple(int(i) for i in bad[0])
        raise ValueError(f"the score of weight {list(place)} of {path!r} is {scores[place]}; scores are numbers >= 0")
