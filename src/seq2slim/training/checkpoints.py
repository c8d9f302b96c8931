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
import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from seq2slim.errors import UserError
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
            raise UserError(f"keep is {keep}; at least 1 save must be kept")
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
        leaves = {name: named_leaves(tree, name) for name, tree in items.items()}
        try:
            _write(temporary, step, best, leaves)
        except BaseException as error:
            _discard(temporary)
            if not isinstance(error, Exception):
                raise
            raise CheckpointError(
                f"step {step} not saved in {self.folder}: {_root_cause(error)}; saves kept: {self.steps()}"
            ) from error
        if final.exists():  # `_saves` finds it under its second name, should we die between the two renames
            os.rename(final, self.folder / f"replaced-{final.name}")
        os.rename(temporary, final)
        fsync(self.folder)
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
        wanted = {name: named_leaves(tree, name) for name, tree in like.items()}
        found = self._newest(set(like), step, best)
        if found is None:
            return None
        save, manifest = found
        for name, leaves in wanted.items():
            compare(leaves, manifest["items"].get(name), f"{name} of {save.path}")
        read = read_items(save.path, {name: manifest["items"][name] for name in like})
        restored = {
            name: jax.tree.unflatten(
                jax.tree.structure(tree), [placed(read[name][leaf], target) for leaf, target in wanted[name].items()]
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
        leaves = read_items(save.path, {name: manifest["items"][name]})[name]
        return save.step, nested({leaf: placed(value, None) for leaf, value in leaves.items()})

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
                return save, verified(save.path, save.step, save.best, items)
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
    if folder.exists():
        _discard(folder)
    folder.mkdir()
    write_items(folder, items)
    write_manifest(folder, step, best, shapes(items))


def _discard(folder: Path):
    """Removes what a failed save left; again while threads of Orbax, which fails at the first error, still write."""
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.02)  # a thread that was about to write does so now
        if not folder.exists():
            return


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip() or repr(error)
    full = os.strerror(errno.ENOSPC)  # which tensorstore wraps in a paragraph
    return full if full in text else text.splitlines()[0]
