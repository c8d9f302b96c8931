"""Prepared corpora: written once into the cache, verified at each load."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from seq2slim.data.corpora.corpus import SPLITS, Corpus, content_hash
from seq2slim.data.corpora.lines import write_pairs
from seq2slim.files import file_sha256, locked, scratch_folder

Pairs = Iterable[tuple[str, str]]
MANIFEST = "manifest.json"


def prepare(
    name: str,
    languages: tuple[str, str],
    version: int,
    cache: Path,
    build: Callable[[], Mapping[str, Pairs]],
    report: Callable[[str], None],
) -> Corpus:
    """The corpus in `cache/<name>`, built if it is missing, damaged or of another version.

    `build()` returns the sentence pairs of each split, which are iterated once, one split after the other. They are
    written to a temporary folder next to the final one, with a manifest of their SHA-256, and renamed, so a reader sees
    all of it or nothing. Other processes wait for the one that builds.

    Args:
      version: to be raised when `build` gives other text; text of another version is built again.
      report: called with a line of text for the user.
    """
    folder = cache / name
    expected = {file for split in SPLITS for file in _files(split, languages)}
    if _problem(folder, version, expected) is not None:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / f".{name}.lock", lambda holder: report(f"{name}: {holder} prepares it; waiting")):
            problem = _problem(folder, version, expected)  # another process may have built it meanwhile
            if problem is not None:
                if folder.exists():
                    report(f"{name}: {problem}: building it again")
                _write(folder, languages, version, build())
                problem = _problem(folder, version, expected)
            if problem is not None:
                raise OSError(f"{folder}: {problem}, just after it was written: is the disk full or failing?")
    digests = json.loads((folder / MANIFEST).read_text())["sha256"]
    splits = {split: tuple(folder / file for file in _files(split, languages)) for split in SPLITS}
    return Corpus(
        name,
        *languages,
        splits,
        content_hash({split: tuple(digests[path.name] for path in splits[split]) for split in SPLITS}),
    )


def _files(split: str, languages: tuple[str, str]) -> tuple[str, str]:
    return f"{split}.{languages[0]}", f"{split}.{languages[1]}"


def _problem(folder: Path, version: int, expected: set[str]) -> str | None:
    """Why the prepared text in `folder` cannot be used, or None."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["version"] != version:
            return f"version {manifest['version']} is in the cache, {version} is wanted"
        if set(manifest["sha256"]) != expected:
            return f"{folder / MANIFEST} does not list the files it should"
        for file, digest in manifest["sha256"].items():
            if file_sha256(folder / file) != digest:
                return f"{folder / file} is damaged (its SHA-256 is not the manifest's)"
    except FileNotFoundError as error:
        return f"{error.filename} is missing"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{folder / MANIFEST} is damaged"
    return None


def _write(folder: Path, languages: tuple[str, str], version: int, splits: Mapping[str, Pairs]) -> None:
    with scratch_folder(folder) as scratch:
        fresh = scratch / "new"
        fresh.mkdir()
        digests = {}
        for split in SPLITS:
            files = _files(split, languages)
            write_pairs(*(fresh / file for file in files), splits[split])
            digests |= {file: file_sha256(fresh / file) for file in files}
        (fresh / MANIFEST).write_text(json.dumps({"version": version, "sha256": digests}, indent=1) + "\n")
        replace_folder(fresh, folder)


def replace_folder(fresh: Path, folder: Path) -> None:
    """Replaces `folder` by `fresh`, which is in a scratch folder. Of two concurrent calls, the later one wins."""
    while True:
        try:
            os.rename(fresh, folder)  # atomic; fails if a non-empty folder is there
            return
        except OSError:
            if not folder.is_dir():
                raise
            # An old folder is renamed into the scratch folder before it is removed, so that nobody reads half of it.
            away = fresh.with_name("old")
            with contextlib.suppress(FileNotFoundError):
                os.rename(folder, away)
            shutil.rmtree(away, ignore_errors=True)
