"""Reports on masks: per class, per LSTM gate subgroup, and words without any weight. Concrete arrays, on the host."""

from collections import defaultdict
from typing import NamedTuple

import jax
import numpy as np

from seq2slim.pruning.classes import NEVER_PRUNED, class_names, leaf_paths, lstm_subgroups
from seq2slim.pruning.masks import kept_arrays

BLOCK = 1 << 20  # weights read at a time


class ClassRow(NamedTuple):
    """One class under its masks. Magnitudes are those of the params given to `summary`."""

    name: str
    weights: int
    kept: int
    threshold: float  # smallest |w| kept; NaN if none is
    largest_removed: float  # largest |w| under a False mask; NaN if none is

    @property
    def sparsity(self):
        """Fraction pruned, in [0, 1]."""
        return 1 - self.kept / self.weights if self.weights else 0.0


class Summary(NamedTuple):
    """Rows of the prunable classes in leaf order, their total, and the number of weights outside all classes."""

    rows: tuple[ClassRow, ...]
    total: ClassRow
    never_pruned: int

    def __str__(self):
        cells = [("class", "weights", "kept", "sparsity", "threshold", "largest removed")]
        for row in (*self.rows, self.total):
            magnitudes = ("-" if np.isnan(m) else f"{m:.3g}" for m in (row.threshold, row.largest_removed))
            cells.append((row.name, f"{row.weights:,}", f"{row.kept:,}", f"{row.sparsity:.2%}", *magnitudes))
        cells.append((NEVER_PRUNED, f"{self.never_pruned:,}", f"{self.never_pruned:,}", "", "", ""))
        widths = [max(map(len, column)) for column in zip(*cells)]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]).rstrip()
            for line in cells
        )


def summary(params, masks, *, classes=None) -> Summary:
    """Per class: weights, kept, sparsity, threshold, largest removed; prints as a table.

    Give the params from *before* `apply_masks`: afterwards every removed weight is 0, and so is `largest_removed`.
    Kept weights, and so the threshold, are the same before and after. Class-blind pruning has
    largest_removed <= threshold over all classes together.

    Args:
      params: pytree of arrays.
      masks: same structure, of any scheme.
      classes: class name of each leaf, same structure. None: each leaf whose mask is not a scalar is a class.
    Raises: ValueError if structures or shapes differ.

    >>> params = {"bias": jnp.ones(2), "kernel": jnp.array([[0.25, -0.5], [2.0, -1.0]])}
    >>> print(pruning.summary(params, pruning.class_blind(params, 0.5)))
    class         weights  kept  sparsity  threshold  largest removed
    kernel              4     2    50.00%          1              0.5
    all classes         4     2    50.00%          1              0.5
    never pruned        2     2
    """
    kept = kept_arrays(params, masks)
    leaves = jax.tree.leaves(params)
    if classes is None:
        names = [NEVER_PRUNED if np.ndim(mask) == 0 else path for path, mask in zip(leaf_paths(params), kept)]
    else:
        names = class_names(params, classes)
    measured = defaultdict(list)
    never_pruned = 0
    for weight, mask, name in zip(leaves, kept, names):
        if name == NEVER_PRUNED:
            never_pruned += getattr(weight, "size", 0)  # an activation function in a module is a leaf without size
        else:
            measured[name].append(_measure(np.asarray(weight), np.asarray(mask)))
    rows = tuple(_row(name, parts) for name, parts in measured.items())
    return Summary(rows, _row("all classes", [row[1:] for row in rows]), never_pruned)


def subgroup_density(mask, units: int) -> dict[tuple[str, str], float]:
    """Fraction kept in each of the 8 subgroups of a fused LSTM kernel (See et al. 2016, sec. 4.5).

    Args:
      mask: bool[in + H, 4H], concrete; rows [input; recurrent], columns i | f | o | h-hat.
      units: H.
    Returns: (part, gate) -> density in [0, 1], the keys of `lstm_subgroups`.
    Raises: ValueError if the mask has another shape.

    >>> mask = jnp.ones((4, 8), bool).at[2:, :2].set(False)  # 2 inputs, 2 units
    >>> found = pruning.subgroup_density(mask, 2)
    >>> found["feed-forward", "i"], found["recurrent", "i"]
    (1.0, 0.0)
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.shape[1] != 4 * units or mask.shape[0] <= units:
        raise ValueError(
            f"a fused kernel of {units} units has shape [in + {units}, {4 * units}]; got {list(mask.shape)}"
        )
    return {name: float(mask[place].mean()) for name, place in lstm_subgroups(units).items()}


def diagonal_density(mask, units: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Fraction kept on the main diagonal of each square subgroup of a fused LSTM kernel, and off it (sec. 4.5, fig. 8).

    A weight on the diagonal connects a cell with the cell of the same number below it or one step before it.

    Args: mask, units: as in `subgroup_density`.
    Returns: (part, gate) -> (density on the diagonal, density off it), in [0, 1]. Feed-forward subgroups are left out
      unless the input is as wide as the layer; all are left out if H is 1, as nothing is off the diagonal.
    Raises: as `subgroup_density`.

    >>> mask = jnp.tile(jnp.eye(2, dtype=bool), (2, 4))
    >>> pruning.diagonal_density(mask, 2)["recurrent", "f"]
    (1.0, 0.0)
    """
    subgroup_density(mask, units)  # checks the shape
    mask, found = np.asarray(mask), {}
    for name, place in lstm_subgroups(units).items():
        block = mask[place]
        if block.shape[0] == block.shape[1] > 1:
            kept = int(np.diagonal(block).sum())
            found[name] = kept / units, (int(block.sum()) - kept) / (units * (units - 1))
    return found


def dead_words(embedding) -> np.ndarray:
    """The words whose whole embedding is pruned (See et al. 2016, sec. 4.5).

    Args:
      embedding: [V, E], concrete: the weights (zero where pruned) or their mask.
    Returns: int64[words], the rows with no non-zero entry, ascending.

    >>> pruning.dead_words(jnp.array([[0.0, 1.0], [0.0, 0.0], [2.0, 3.0]])).tolist()
    [1]
    """
    return np.flatnonzero(~np.asarray(embedding).astype(bool).any(axis=1))


def _measure(weight, mask):
    """(weights, kept, smallest |w| kept, largest |w| removed) of one leaf."""
    flat, kept = weight.reshape(-1), np.broadcast_to(mask, weight.shape).reshape(-1)
    smallest, largest = np.nan, np.nan
    for start in range(0, flat.size, BLOCK):
        keep = kept[start : start + BLOCK]
        magnitude = np.abs(flat[start : start + BLOCK].astype(np.float64))
        smallest = np.fmin(smallest, magnitude.min(where=keep, initial=np.inf) if keep.any() else np.nan)
        largest = np.fmax(largest, magnitude.max(where=~keep, initial=0.0) if not keep.all() else np.nan)
    return flat.size, int(np.count_nonzero(kept)), smallest, largest


def _row(name, parts):
    """One row from several measured parts; NaN magnitudes (nothing kept, or nothing removed) do not count."""
    weights, kept, smallest, largest = zip(*parts) if parts else ((), (), (), ())
    return ClassRow(
        name,
        sum(weights),
        sum(kept),
        float(np.fmin.reduce([np.nan, *smallest])),
        float(np.fmax.reduce([np.nan, *largest])),
    )
