"""Weight classes: which leaves of params are pruned together, and the subgroups inside one LSTM leaf.

A *classes* tree has the structure of params and holds one class name (str) per leaf; `NEVER_PRUNED` marks a leaf that
is not pruned. The classes of See et al. (2016) are layers, attention, embeddings and softmax (their sec. 3.2).
"""

import fnmatch
import re
from collections.abc import Iterable

import jax
import jax.numpy as jnp

NEVER_PRUNED = "never pruned"

GATES = ("i", "f", "o", "h-hat")  # column order of a fused LSTM kernel


def leaf_paths(params):
    """Path of each leaf as 'a/b/c', in leaf order; list entries appear by their index. Returns: list of str.

    >>> pruning.leaf_paths({"encoder": {"kernel": 1.0}, "heads": [2.0, 3.0]})
    ['encoder/kernel', 'heads/0', 'heads/1']
    """
    return [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree_util.tree_leaves_with_path(params)
    ]


def is_prunable(leaf):
    """True for a floating-point array with at least one axis; only these can have a mask of their shape."""
    return getattr(leaf, "ndim", 0) > 0 and jnp.issubdtype(leaf.dtype, jnp.floating)


def each_leaf(params):
    """Default classes: each floating leaf with ndim >= 2 is a class named by its path; the others are never pruned.

    Args:
      params: pytree of arrays (or of `jax.ShapeDtypeStruct`).
    Returns: class names, same structure.

    >>> pruning.each_leaf({"bias": jnp.ones(3), "kernel": jnp.ones((2, 3))})
    {'bias': 'never pruned', 'kernel': 'kernel'}
    """
    leaves, treedef = jax.tree.flatten(params)
    names = [
        (path or "weights") if is_prunable(leaf) and leaf.ndim >= 2 else NEVER_PRUNED
        for path, leaf in zip(leaf_paths(params), leaves)
    ]
    return treedef.unflatten(names)


def classes_by_rules(params, rules: Iterable[tuple[str | re.Pattern, str]]):
    """Classes by rules on the path of each leaf; exactly one rule must match each leaf.

    Args:
      params: pytree of arrays (or of `jax.ShapeDtypeStruct`); a leaf's path reads 'encoder/layer_1/kernel'.
      rules: (pattern, class name) pairs. A str is a glob whose `*` also crosses '/'; an `re.compile`d pattern must
        match the whole path. The class name is any str, or `NEVER_PRUNED`. A rule may match no leaf, so one table
        serves many models.
    Returns: class names, same structure as `params`.
    Raises: ValueError naming a leaf that no rule or several rules match, or that is in a class and cannot be pruned (a
      scalar, or not floating point).

    >>> params = {"embedding": jnp.ones((5, 2)), "layer_1": {"bias": jnp.ones(4), "kernel": jnp.ones((2, 4))}}
    >>> rules = [("embedding", "words"), ("layer_*/kernel", "layers"), ("*/bias", pruning.NEVER_PRUNED)]
    >>> pruning.classes_by_rules(params, rules)
    {'embedding': 'words', 'layer_1': {'bias': 'never pruned', 'kernel': 'layers'}}
    """
    rules = list(rules)
    leaves, treedef = jax.tree.flatten(params)
    names = []
    for path, leaf in zip(leaf_paths(params), leaves):
        found = [(pattern, name) for pattern, name in rules if _matches(pattern, path)]
        if not found:
            raise ValueError(f"no rule matches leaf {path!r}; add one (NEVER_PRUNED if it is not to be pruned)")
        if len(found) > 1:
            patterns = ", ".join(repr(_text(pattern)) for pattern, _ in found)
            raise ValueError(f"leaf {path!r} is matched by {len(found)} rules ({patterns}); exactly one must match")
        names.append(found[0][1])
        _check_prunable(path, leaf, names[-1])
    return treedef.unflatten(names)


def class_names(params, classes=None):
    """Class name of each leaf, in leaf order, checked against `params`. Returns: list of str.

    Raises: ValueError if `classes` has another structure, or puts a leaf into a class that cannot be pruned.
    """
    if classes is None:
        classes = each_leaf(params)
    expected, got = jax.tree.structure(params), jax.tree.structure(classes)
    if expected != got:
        raise ValueError(f"classes must have the structure of params, {expected}; got {got}")
    names = jax.tree.leaves(classes)
    for path, leaf, name in zip(leaf_paths(params), jax.tree.leaves(params), names):
        if not isinstance(name, str):
            raise ValueError(f"classes holds {name!r} for leaf {path!r}; a class name (str) is needed")
        _check_prunable(path, leaf, name)
    return names


def lstm_subgroups(units: int):
    """The 8 subgroups of one fused LSTM kernel as slices of the leaf (See et al. 2016, sec. 4.5).

    The kernel is f32[in + H, 4H]: rows [input; recurrent], columns i | f | o | h-hat.

    Args:
      units: H, of the layer (or of one direction).
    Returns: dict, (part, gate) -> (row slice, column slice); part is 'feed-forward' or 'recurrent'.

    >>> kernel = jnp.arange(32).reshape(4, 8)  # 2 inputs, 2 units
    >>> kernel[pruning.lstm_subgroups(2)["recurrent", "f"]].tolist()
    [[18, 19], [26, 27]]
    """
    rows = {"feed-forward": slice(None, -units), "recurrent": slice(-units, None)}
    columns = {gate: slice(n * units, (n + 1) * units) for n, gate in enumerate(GATES)}
    return {(part, gate): (row, column) for part, row in rows.items() for gate, column in columns.items()}


def _matches(pattern, path):
    if isinstance(pattern, re.Pattern):
        return pattern.fullmatch(path) is not None
    return fnmatch.fnmatchcase(path, pattern)


def _text(pattern):
    return pattern.pattern if isinstance(pattern, re.Pattern) else pattern


def _check_prunable(path, leaf, name):
    if name != NEVER_PRUNED and not is_prunable(leaf):
        kind = f"{leaf.dtype}{list(leaf.shape)}" if hasattr(leaf, "dtype") else type(leaf).__name__
        raise ValueError(
            f"leaf {path!r} is {kind} and cannot be in class {name!r}; only floating arrays with an axis can"
        )
