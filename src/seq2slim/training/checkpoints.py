"""Numbered saves of named pytrees that survive a kill at any moment, a full disk and a flipped bit.

One save is one folder, and a folder with a save's name is always complete:

    step_00000120/            or step_00000120-best, when it was the best so far
      items/                  an Orbax composite, one named item a pytree (params, masks, ...)
      manifest.json           size and SHA-256 of every file, name, dtype and shape of every leaf; written last

It is written as `saving-...`, fsync'ed and renamed; a save to be dropped is renamed to `removing-...` first, so that no
half-deleted folder is ever taken for a save. Orbax restores a flipped bit silently, so the manifest is checked before
each restore. Only `save` changes the folder: reading a run that another process writes is safe.
"""

import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

MANIFEST = "manifest.json"
ITEMS = "items"
_NAME = re.compile(r"step_(\d{8,})(-best)?")
_LEFTOVERS = ("saving-", "removing-")

_LOG = logging.getLogger(__name__)
# Orbax logs every save at INFO and, after a failed one, tracebacks of its threads; what matters of that is raised.
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


class CheckpointError(RuntimeError):
    """A save that could not be written, or one whose leaves are not those asked for."""


class Save(NamedTuple):
    """One save on disk; saves sort by step."""

    step: int
    best: bool
    path: Path


class Checkpoints:
    """The saves of one run.

    Args:
      folder: where they live; made by the first save.
      keep: how many of the newest are kept. The newest one saved as best is kept besides.
      report: takes one line of text for each damaged save that is passed over.
    """

    def __init__(self, folder: Path, keep: int = 2, report: Callable[[str], None] = _LOG.warning):
        if keep < 1:
            raise ValueError(f"keep is {keep}; at least 1 save must be kept")
        self.folder, self.keep, self.report = Path(folder), keep, report

    def save(self, step: int, items: dict[str, Any], best: bool = False) -> Path:
        """Writes one save, then drops those no longer kept and every save beyond `step` (a history that was given up).

        Args:
          step: its number, at least 0. A save of that step is replaced, and stays the best if it was.
          items: name -> pytree of arrays (jax or numpy; typed PRNG keys as their key data).
          best: whether this is the best so far.
        Returns: the folder of the save.
        Raises: CheckpointError if it could not be written (a full disk); earlier saves are untouched, it is removed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clean()
        step, best = int(step), bool(best) or any(save.best for save in self._saves() if save.step == step)
        final = self.folder / f"step_{step:08d}{'-best' if best else ''}"
        temporary = self.folder / f"saving-{final.name}"
        leaves = {name: _named_leaves(tree, name) for name, tree in items.items()}
        try:
            _write(temporary, step, best, leaves)
        except BaseException as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if not isinstance(error, Exception):
                raise
            raise CheckpointError(
                f"step {step} not saved in {self.folder}: {_root_cause(error)}; saves kept: {self.steps()}"
            ) from error
        if final.exists():  # `_saves` finds it under its second name, should we die between the two renames
            os.rename(final, self.folder / f"replaced-{final.name}")
        os.rename(temporary, final)
        _fsync(self.folder)
        self._prune(step, final)
        return final

    def steps(self) -> list[int]:
        """Steps of all saves, ascending, unchecked."""
        return [save.step for save in self._saves()]

    def latest(self) -> int | None:
        """Step of the newest save, unchecked; None without any."""
        return max(self.steps(), default=None)

    def best(self) -> int | None:
        """Step of the newest save that was the best when saved, unchecked; None without any."""
        return max((save.step for save in self._saves() if save.best), default=None)

    def restore(
        self, like: dict[str, Any], step: int | None = None, best: bool = False
    ) -> tuple[int, dict[str, Any]] | None:
        """The newest save that passes its manifest; damaged ones are reported and passed over.

        Args:
          like: name -> pytree of arrays or jax.ShapeDtypeStruct; other items of the save are neither read nor checked.
            Leaves come back as numpy where `like` has numpy, else as jax arrays (sharded as in `like`, if at all).
          step: take this step only.
          best: take saves only that were the best when saved.
        Returns: (step, items like `like`, bit for bit what was saved), or None if no save passes.
        Raises: CheckpointError if a leaf is missing or extra, or has another dtype or shape.
        """
        wanted = {name: _named_leaves(tree, name) for name, tree in like.items()}
        found = self._newest(set(like), step, best)
        if found is None:
            return None
        save, manifest = found
        for name, leaves in wanted.items():
            _compare(leaves, manifest["items"].get(name), f"{name} of {save.path}")
        read = _read(save.path, {name: manifest["items"][name] for name in like})
        restored = {
            name: jax.tree.unflatten(
                jax.tree.structure(tree), [_placed(read[name][leaf], target) for leaf, target in wanted[name].items()]
            )
            for name, tree in like.items()
        }
        return save.step, restored

    def restore_item(self, name: str, like=None, step: int | None = None, best: bool = False) -> tuple[int, Any] | None:
        """One item alone, without `like` as nested dicts of jax arrays; everything else as in `restore`."""
        if like is not None:
            found = self.restore({name: like}, step, best)
            return found and (found[0], found[1][name])
        found = self._newest({name}, step, best)
        if found is None:
            return None
        save, manifest = found
        if name not in manifest["items"]:
            raise CheckpointError(f"{save.path} has no item {name!r}, only {sorted(manifest['items'])}")
        leaves = _read(save.path, {name: manifest["items"][name]})[name]
        return save.step, _nested({leaf: _placed(value, None) for leaf, value in leaves.items()})

    def items(self, step: int | None = None, best: bool = False) -> dict[str, dict[str, tuple[str, tuple[int, ...]]]]:
        """What `restore` would find, item -> leaf path -> (dtype, shape), from the manifest; {} without a save."""
        found = self._newest(set(), step, best)
        items = found[1]["items"] if found else {}
        return {
            name: {leaf: (dtype, tuple(shape)) for leaf, (dtype, shape) in leaves.items()}
            for name, leaves in items.items()
        }

    def _saves(self) -> list[Save]:
        """All complete saves, by step. One set aside by a replacement that was never finished still counts."""
        found = {}
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            name = path.name.removeprefix("replaced-")
            if (match := _NAME.fullmatch(name)) and (name == path.name or name not in found):
                found[name] = Save(int(match[1]), bool(match[2]), path)
        return sorted(found.values())

    def _newest(self, items: set[str], step: int | None, best: bool) -> tuple[Save, dict] | None:
        for save in reversed(self._saves()):
            if (best and not save.best) or (step is not None and save.step != step):
                continue
            try:
                return save, _verified(save, items)
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.report(f"the save {save.path} is damaged ({error}): passed over")
        return None

    def _clean(self):
        """Removes what a killed process left, and finishes or undoes its replacement."""
        for path in list(self.folder.iterdir()):
            if path.name.startswith(_LEFTOVERS):
                shutil.rmtree(path)
            elif path.name.startswith("replaced-"):
                final = self.folder / path.name.removeprefix("replaced-")
                if final.exists():
                    self._remove(path)
                else:
                    os.rename(path, final)

    def _prune(self, step: int, final: Path):
        saves = [save for save in self._saves() if save.step < step or save.path == final]
        kept = {save.path for save in saves[-self.keep :]} | {save.path for save in [s for s in saves if s.best][-1:]}
        for path in list(self.folder.iterdir()):
            if path not in kept and _NAME.fullmatch(path.name.removeprefix("replaced-")):
                self._remove(path)

    def _remove(self, path: Path):
        doomed = self.folder / f"removing-{path.name}"
        os.rename(path, doomed)
        shutil.rmtree(doomed)


def _write(folder: Path, step: int, best: bool, items: dict[str, dict[str, Any]]):
    """Writes a whole save into `folder`, manifest last, everything fsync'ed."""
    folder.mkdir()
    # Numpy on the way out: the files then hold no device layout, and open on any machine. Orbax refuses arrays without
    # elements; their dtype and shape in the manifest say all about them.
    trees = {
        name: _nested({leaf: np.asarray(x) for leaf, x in leaves.items() if x.size}) for name, leaves in items.items()
    }
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
        arguments = {name: ocp.args.PyTreeSave(tree) for name, tree in trees.items() if tree}
        checkpointer.save((folder / ITEMS).absolute(), args=ocp.args.Composite(**arguments))
    files = {}
    for path in _files(folder):
        _fsync(path)
        files[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "sha256": _sha256(path)}
    shapes = {
        name: {leaf: [str(x.dtype), list(x.shape)] for leaf, x in leaves.items()} for name, leaves in items.items()
    }
    with (folder / MANIFEST).open("x") as manifest:
        manifest.write(_manifest_text({"step": step, "best": best, "items": shapes, "files": files}))
    _fsync(folder / MANIFEST)
    for parent in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        _fsync(parent)


def _verified(save: Save, items: set[str]) -> dict:
    """The manifest of a save, after checking itself, the list of files, and the content of all but the other items.

    Raises: OSError, ValueError, KeyError or TypeError if anything is damaged.
    """
    text = (save.path / MANIFEST).read_bytes().decode()
    manifest = json.loads(text)
    manifest.pop("sha256")
    if _manifest_text(manifest) != text or (manifest["step"], manifest["best"]) != (save.step, save.best):
        raise ValueError(f"{MANIFEST} fails its own checksum")
    expected = manifest["files"]
    present = {path.relative_to(save.path).as_posix() for path in _files(save.path)} - {MANIFEST}
    if odd := sorted(present ^ set(expected)):
        raise ValueError(f"{odd[0]} is {'missing' if odd[0] in expected else 'not in the manifest'}")
    for name, file in expected.items():
        _, _, inner = name.partition("/")
        other = inner.partition("/")[0]
        if other in manifest["items"] and other not in items:
            continue
        if (size := (save.path / name).stat().st_size) != file["size"]:
            raise ValueError(f"{name} has {size} bytes instead of {file['size']}")
        if _sha256(save.path / name) != file["sha256"]:
            raise ValueError(f"{name} fails its checksum")
    return manifest


def _read(folder: Path, items: dict[str, dict[str, list]]) -> dict[str, dict[str, np.ndarray]]:
    """Reads whole items as numpy, item -> leaf -> array, given the manifest's dtypes and shapes."""
    specs = {
        name: {leaf: jax.ShapeDtypeStruct(shape, jnp.dtype(dtype)) for leaf, (dtype, shape) in leaves.items()}
        for name, leaves in items.items()
    }
    arguments = {}
    for name, leaves in specs.items():
        if tree := _nested({leaf: spec for leaf, spec in leaves.items() if spec.size}):
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
            read[name].update(_named_leaves(composite[name], name))
    for name, leaves in specs.items():
        _compare(leaves, {leaf: [str(x.dtype), list(x.shape)] for leaf, x in read[name].items()}, f"{name} of {folder}")
    return read


def _named_leaves(tree, item: str) -> dict[str, Any]:
    """Leaves by path ("encoder/layer_1/kernel") in the order of jax.tree.leaves; a bare array is the leaf "array"."""
    leaves, seen = {}, set()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path, simple=True, separator="/") or "array"
        if (
            not hasattr(leaf, "shape")
            or not hasattr(leaf, "dtype")
            or jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended)
        ):
            raise TypeError(
                f"leaf {name} of item {item!r} is {leaf!r}; a save takes plain arrays (a PRNG key as its key data)"
            )
        # Orbax joins keys with dots: {"a.b": x} and {"a": {"b": y}} would be one entry there.
        if (dotted := name.replace("/", ".")) in seen or name.count("/") + 1 > max(len(path), 1):
            raise ValueError(f"leaf {name} of item {item!r}: its keys contain '/', or it has the name of another leaf")
        seen.add(dotted)
        leaves[name] = leaf
    return leaves


def _nested(leaves: dict[str, Any]) -> dict:
    tree: dict = {}
    for name, leaf in leaves.items():
        *parents, last = name.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = leaf
    return tree


def _compare(wanted: dict[str, Any], saved: dict[str, list] | None, where: str):
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


def _placed(value: np.ndarray, target):
    """`value` as numpy or on the device, as `target` is; stays numpy where jax would narrow it (int64 without x64)."""
    if isinstance(target, np.ndarray | np.generic) or jax.dtypes.canonicalize_dtype(value.dtype) != value.dtype:
        return value
    sharding = getattr(target, "sharding", None)
    if sharding is not None and len(sharding.device_set) > 1:
        return jax.device_put(value, sharding)
    return jnp.array(value)  # copies: a buffer shared with numpy could not be donated


def _manifest_text(manifest: dict) -> str:
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    return json.dumps({**manifest, "sha256": digest}, sort_keys=True, indent=1)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync(path: Path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip() or repr(error)
    full = os.strerror(errno.ENOSPC)  # which tensorstore wraps in a paragraph
    return full if full in text else text.splitlines()[0]
