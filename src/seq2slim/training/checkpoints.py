"""Numbered checkpoints of named pytrees that survive a kill at any moment, a full disk and a flipped bit.

A checkpoint is a folder, and a folder with a checkpoint's name is always complete:

    step_00000120/            or step_00000120-best, if it was the best so far
      items/                  an Orbax composite with one item per named pytree (of a training: state, progress)
      manifest.json           size and SHA-256 of every file; name, dtype and shape of every leaf; written last

It is written as `saving-...`, fsync'ed and renamed. A checkpoint to be removed is first renamed to `removing-...`, so
a half-deleted folder is never read as a checkpoint. Orbax does not detect a flipped bit, so the manifest is checked
before each restore. Only `save` changes the folder: reading a run that another process writes is safe.
"""

import errno
import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from seq2slim.files import fsync
from seq2slim.training.items import (
    CheckpointError,
    compare,
    named_leaves,
    nested,
    placed,
    read_items,
    shapes,
    write_items,
)
from seq2slim.training.manifest import verified, write_manifest

_NAME = re.compile(r"step_(\d{8,})(-best)?")
_LEFTOVERS = ("saving-", "removing-")

_LOG = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """One checkpoint on disk. They sort by step."""

    step: int
    best: bool
    path: Path


class Checkpoints:
    """The checkpoints of one run.

    Args:
      folder: where they are; created by the first `save`.
      keep: how many of the newest are kept. The newest best one is kept too.
      report: called with one line of text for each damaged checkpoint that is skipped.
    """

    def __init__(self, folder: Path, keep: int = 2, report: Callable[[str], None] = _LOG.warning):
        if keep < 1:
            raise ValueError(f"keep must be at least 1, got {keep}")
        self.folder, self.keep, self.report = Path(folder), keep, report

    def save(self, step: int, items: dict[str, Any], best: bool = False) -> Path:
        """Writes a checkpoint, then removes those no longer kept and all beyond `step` (from a run that was rewound).

        Args:
          step: its number, at least 0. A checkpoint of that step is replaced, and stays the best if it was.
          items: name -> pytree of arrays (jax or numpy; typed PRNG keys as their key data).
          best: whether this is the best so far.
        Returns: the folder of the checkpoint.
        Raises: CheckpointError if it cannot be written (a full disk). It is then removed; earlier ones are unchanged.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clean()
        step, best = int(step), bool(best) or any(old.best for old in self._checkpoints() if old.step == step)
        final = self.folder / f"step_{step:08d}{'-best' if best else ''}"
        temporary = self.folder / f"saving-{final.name}"
        leaves = {name: named_leaves(tree, name) for name, tree in items.items()}
        try:
            _write(temporary, step, best, leaves)
        except BaseException as error:
            _discard(temporary)
            if not isinstance(error, Exception):
                raise
            raise CheckpointError(
                f"step {step} not saved in {self.folder}: {_root_cause(error)}; checkpoints kept: {self.steps()}"
            ) from error
        if final.exists():  # `_checkpoints` finds it under this name if the process dies between the two renames
            os.rename(final, self.folder / f"replaced-{final.name}")
        os.rename(temporary, final)
        fsync(self.folder)
        self._prune(step, final)
        return final

    def steps(self) -> list[int]:
        """Steps of all checkpoints, ascending, not verified."""
        return [checkpoint.step for checkpoint in self._checkpoints()]

    def latest(self) -> int | None:
        """Step of the newest checkpoint, not verified; None if there is none."""
        return max(self.steps(), default=None)

    def best(self) -> int | None:
        """Step of the newest checkpoint that was the best when saved, not verified; None if there is none."""
        return max((checkpoint.step for checkpoint in self._checkpoints() if checkpoint.best), default=None)

    def restore(
        self, like: dict[str, Any], step: int | None = None, best: bool = False
    ) -> tuple[int, dict[str, Any]] | None:
        """The newest checkpoint that passes its manifest. Damaged ones are reported and skipped.

        Args:
          like: name -> pytree of arrays or jax.ShapeDtypeStruct. Other items are neither read nor checked.
            Leaves are restored as numpy where `like` has numpy, else as jax arrays (sharded as in `like`, if at all).
          step: only this step, if given.
          best: only checkpoints that were the best when saved.
        Returns: (step, items like `like`, bit for bit what was saved), or None if no checkpoint passes.
        Raises: CheckpointError if a leaf is missing or extra, or has another dtype or shape.
        """
        wanted = {name: named_leaves(tree, name) for name, tree in like.items()}
        found = self._newest(set(like), step, best)
        if found is None:
            return None
        checkpoint, manifest = found
        for name, leaves in wanted.items():
            compare(leaves, manifest["items"].get(name), f"{name} of {checkpoint.path}")
        read = read_items(checkpoint.path, {name: manifest["items"][name] for name in like})
        restored = {
            name: jax.tree.unflatten(
                jax.tree.structure(tree), [placed(read[name][leaf], target) for leaf, target in wanted[name].items()]
            )
            for name, tree in like.items()
        }
        return checkpoint.step, restored

    def restore_item(self, name: str, like=None, step: int | None = None, best: bool = False) -> tuple[int, Any] | None:
        """One item, as nested dicts of jax arrays if there is no `like`; otherwise as `restore`."""
        if like is not None:
            found = self.restore({name: like}, step, best)
            return found and (found[0], found[1][name])
        found = self._newest({name}, step, best)
        if found is None:
            return None
        checkpoint, manifest = found
        if name not in manifest["items"]:
            raise CheckpointError(f"{checkpoint.path} has no item {name!r}, only {sorted(manifest['items'])}")
        leaves = read_items(checkpoint.path, {name: manifest["items"][name]})[name]
        return checkpoint.step, nested({leaf: placed(value, None) for leaf, value in leaves.items()})

    def items(self, step: int | None = None, best: bool = False) -> dict[str, dict[str, tuple[str, tuple[int, ...]]]]:
        """What `restore` would find, item -> leaf path -> (dtype, shape), from the manifest; {} if nothing."""
        found = self._newest(set(), step, best)
        items = found[1]["items"] if found else {}
        return {
            name: {leaf: (dtype, tuple(shape)) for leaf, (dtype, shape) in leaves.items()}
            for name, leaves in items.items()
        }

    def _checkpoints(self) -> list[Checkpoint]:
        """All complete checkpoints, by step, with any that an unfinished replacement has renamed."""
        found = {}
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            name = path.name.removeprefix("replaced-")
            if (match := _NAME.fullmatch(name)) and (name == path.name or name not in found):
                found[name] = Checkpoint(int(match[1]), bool(match[2]), path)
        return sorted(found.values())

    def _newest(self, items: set[str], step: int | None, best: bool) -> tuple[Checkpoint, dict] | None:
        for found in reversed(self._checkpoints()):
            if (best and not found.best) or (step is not None and found.step != step):
                continue
            try:
                return found, verified(found.path, found.step, found.best, items)
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.report(f"checkpoint {found.path} is damaged ({error}): skipped")
        return None

    def _clean(self):
        """Removes what a killed process left, and finishes or undoes the replacement it was making."""
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
        found = [checkpoint for checkpoint in self._checkpoints() if checkpoint.step < step or checkpoint.path == final]
        newest_best = [checkpoint for checkpoint in found if checkpoint.best][-1:]
        kept = {checkpoint.path for checkpoint in found[-self.keep :] + newest_best}
        for path in list(self.folder.iterdir()):
            if path not in kept and _NAME.fullmatch(path.name.removeprefix("replaced-")):
                self._remove(path)

    def _remove(self, path: Path):
        doomed = self.folder / f"removing-{path.name}"
        os.rename(path, doomed)
        shutil.rmtree(doomed)


def _write(folder: Path, step: int, best: bool, items: dict[str, dict[str, Any]]):
    """Writes a whole checkpoint into `folder`, manifest last, everything fsync'ed."""
    if folder.exists():
        _discard(folder)
    folder.mkdir()
    write_items(folder, items)
    write_manifest(folder, step, best, shapes(items))


def _discard(folder: Path):
    """Removes what a failed save left, repeatedly: Orbax raises at the first error while its threads still write."""
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.02)  # lets such a thread write now
        if not folder.exists():
            return


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip() or repr(error)
    full = os.strerror(errno.ENOSPC)  # which tensorstore wraps in a paragraph
    return full if full in text else text.splitlines()[0]
