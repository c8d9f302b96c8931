"""Pytrees as Orbax items: each leaf under the path of its keys, as numpy, with its dtype and shape checked."""

import logging
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from seq2slim.errors import UserError
from seq2slim.pruning import leaf_paths

ITEMS = "items"
# Orbax logs every save at INFO and, after a failed one, tracebacks of its threads; errors that matter are raised.
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


class CheckpointError(UserError):
    """A checkpoint that could not be written, or whose leaves are not those asked for."""


def write_items(folder: Path, items: dict[str, dict[str, Any]]):
    """Writes item -> leaf -> array into `folder/items`, an Orbax composite."""
    # Numpy on the way out: the files then hold no device layout, and open on any machine. Orbax refuses arrays without
    # elements; their dtype and shape in the manifest say all about them.
    trees = {
        name: nested({leaf: np.asarray(x) for leaf, x in leaves.items() if x.size}) for name, leaves in items.items()
    }
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
        arguments = {name: ocp.args.PyTreeSave(tree) for name, tree in trees.items() if tree}
        checkpointer.save((folder / ITEMS).absolute(), args=ocp.args.Composite(**arguments))


def shapes(items: dict[str, dict[str, Any]]) -> dict[str, dict[str, list]]:
    """Item -> leaf -> [dtype, shape], as the manifest records them."""
    return {name: {leaf: [str(x.dtype), list(x.shape)] for leaf, x in leaves.items()} for name, leaves in items.items()}


def read_items(folder: Path, items: dict[str, dict[str, list]]) -> dict[str, dict[str, np.ndarray]]:
    """Reads whole items as numpy, item -> leaf -> array, given the manifest's dtypes and shapes.

    Raises: CheckpointError if the leaves on disk have others.
    """
    specs = {
        name: {leaf: jax.ShapeDtypeStruct(shape, jnp.dtype(dtype)) for leaf, (dtype, shape) in leaves.items()}
        for name, leaves in items.items()
    }
    arguments = {}
    for name, leaves in specs.items():
        if tree := nested({leaf: spec for leaf, spec in leaves.items() if spec.size}):
            as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
            arguments[name] = ocp.args.PyTreeRestore(item=tree, restore_args=as_numpy)
    read = {
        name: {leaf: np.zeros(spec.shape, spec.dtype) for leaf, spec in leaves.items() if not spec.size}
        for name, leaves in specs.items()
    }
    if arguments:
        with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
            composite = checkpointer.restore((folder / ITEMS).absolute(), args=ocp.args.Composite(**arguments))
        for name in arguments:
            read[name].update(named_leaves(composite[name], name))
    found = shapes(read)
    for name, leaves in specs.items():
        compare(leaves, found[name], f"{name} of {folder}")
    return read


def named_leaves(tree, item: str) -> dict[str, Any]:
    """Leaves by path ("encoder/layer_1/kernel") in the order of jax.tree.leaves; a bare array is the leaf "array".

    Raises: TypeError or UserError naming the leaf that has no dtype and shape, or the name of another leaf.
    """
    leaves, seen = {}, set()
    for name, (path, leaf) in zip(leaf_paths(tree), jax.tree_util.tree_leaves_with_path(tree)):
        name = name or "array"
        if (
            not hasattr(leaf, "shape")
            or not hasattr(leaf, "dtype")
            or jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended)
        ):
            raise TypeError(
                f"leaf {name} of item {item!r} is {leaf!r}; checkpoints hold plain arrays (a PRNG key: its key data)"
            )
        # Orbax joins keys with dots: {"a.b": x} and {"a": {"b": y}} would be one entry there.
        if (dotted := name.replace("/", ".")) in seen or name.count("/") + 1 > max(len(path), 1):
            raise ValueError(f"leaf {name} of item {item!r}: its keys contain '/', or it has the name of another leaf")
        seen.add(dotted)
        leaves[name] = leaf
    return leaves


def nested(leaves: dict[str, Any]) -> dict:
    """Leaves by path as nested dicts."""
    tree: dict = {}
    for name, leaf in leaves.items():
        *parents, last = name.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = leaf
    return tree


def compare(wanted: dict[str, Any], saved: dict[str, list] | None, where: str):
    """Raises CheckpointError naming the first leaf that is missing, not asked for, or of another dtype or shape."""
    if saved is None:
        raise CheckpointError(f"there is no {where}")
    if missing := sorted(set(wanted) - set(saved)):
        raise CheckpointError(f"{where} has no leaf {missing[0]} ({len(missing)} missing)")
    if extra := sorted(set(saved) - set(wanted)):
        raise CheckpointError(f"{where} has a leaf {extra[0]} that is not asked for ({len(extra)} of them)")
    for leaf, target in wanted.items():
        asked = [str(target.dtype), list(target.shape)]
        if asked != saved[leaf]:
            raise CheckpointError(f"leaf {leaf} in {where} is {_spec(saved[leaf])}, asked for {_spec(asked)}")


def _spec(dtype_and_shape: list) -> str:
    dtype, shape = dtype_and_shape
    return f"{dtype}{shape}"


def placed(value: np.ndarray, target):
    """`value` as numpy or on the device, as `target` is; stays numpy where jax would narrow it (int64 without x64)."""
    if isinstance(target, np.ndarray | np.generic) or jax.dtypes.canonicalize_dtype(value.dtype) != value.dtype:
        return value
    sharding = getattr(target, "sharding", None)
    if sharding is not None and len(sharding.device_set) > 1:
        return jax.device_put(value, sharding)
    return jnp.array(value)  # copies: a buffer shared with numpy could not be donated
