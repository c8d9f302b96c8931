"""Magnitude pruning of any pytree of arrays, and keeping pruned weights at zero while training goes on.

    masks = pruning.class_blind(params, sparsity=0.8)
    params = pruning.apply_masks(params, masks)
    optimizer = pruning.keep_pruned(optax.adam(1e-3), masks)

The three schemes are those of See, Luong and Manning (2016). Masks have the structure of params: bool arrays, True
keeps, and a scalar True for a leaf that is never pruned.
"""

from seq2slim.pruning.classes import NEVER_PRUNED, classes_by_rules, each_leaf, lstm_subgroups
from seq2slim.pruning.masks import MaskCounts, MaskOverlap, all_true, apply_masks, count, overlap
from seq2slim.pruning.report import ClassRow, Summary, dead_words, diagonal_density, subgroup_density, summary
from seq2slim.pruning.schedules import gradual, is_due, iterative, one_shot
from seq2slim.pruning.schemes import class_blind, class_distribution, class_uniform, random, shuffled_within_class
from seq2slim.pruning.sparse_update import keep_pruned

__all__ = [
    "NEVER_PRUNED",
    "ClassRow",
    "MaskCounts",
    "MaskOverlap",
    "Summary",
    "all_true",
    "apply_masks",
    "class_blind",
    "class_distribution",
    "class_uniform",
    "classes_by_rules",
    "count",
    "dead_words",
    "diagonal_density",
    "each_leaf",
    "gradual",
    "is_due",
    "iterative",
    "keep_pruned",
    "lstm_subgroups",
    "one_shot",
    "overlap",
    "random",
    "shuffled_within_class",
    "subgroup_density",
    "summary",
]
