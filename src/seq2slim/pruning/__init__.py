"""Pruning of any pytree of arrays, and optimisers that keep pruned weights at zero while training goes on.

    >>> import jax, jax.numpy as jnp, optax
    >>> from seq2slim import pruning
    >>> params = {"bias": jnp.ones(2), "kernel": jnp.array([[0.1, -0.5], [2.0, -0.2]])}

    >>> masks = pruning.class_blind(params, sparsity=0.5)
    >>> params = pruning.apply_masks(params, masks)
    >>> optimizer = pruning.keep_pruned(optax.adam(1e-3), masks)

    >>> params["kernel"].tolist()
    [[0.0, -0.5], [2.0, 0.0]]

The examples of all functions begin with these imports, and `make test` runs them.

Masks have the structure of params: bool arrays, True keeps, and a scalar True for a leaf that is never pruned. The
magnitude schemes are those of See, Luong and Manning (2016). To add a scheme, write a function with the arguments of
`class_blind` and enter it in `SCHEMES` (registry.py); the command line and the stages then offer it:

    def by_square(params, sparsity, *, scores=None, **options):
        return class_blind(params, sparsity, scores=jax.tree.map(jnp.square, params), **options)
"""

from seq2slim.pruning.classes import NEVER_PRUNED, classes_by_rules, each_leaf, leaf_paths, lstm_subgroups
from seq2slim.pruning.masks import MaskCounts, MaskOverlap, all_true, apply_masks, count, density, overlap
from seq2slim.pruning.registry import SCHEMES, SchemeName
from seq2slim.pruning.report import ClassRow, Summary, dead_words, diagonal_density, subgroup_density, summary
from seq2slim.pruning.schedules import gradual, is_due, iterative, one_shot
from seq2slim.pruning.schemes import (
    class_blind,
    class_distribution,
    class_uniform,
    random,
    shuffled_within_class,
)
from seq2slim.pruning.sparse_update import keep_pruned

__all__ = [
    "NEVER_PRUNED",
    "SCHEMES",
    "ClassRow",
    "MaskCounts",
    "MaskOverlap",
    "SchemeName",
    "Summary",
    "all_true",
    "apply_masks",
    "class_blind",
    "class_distribution",
    "class_uniform",
    "classes_by_rules",
    "count",
    "dead_words",
    "density",
    "diagonal_density",
    "each_leaf",
    "gradual",
    "is_due",
    "iterative",
    "keep_pruned",
    "leaf_paths",
    "lstm_subgroups",
    "one_shot",
    "overlap",
    "random",
    "shuffled_within_class",
    "subgroup_density",
    "summary",
]
