"""`done.json`, written last into a home: it says that the stage is finished, and vouches for its small files."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path

from seq2slim.files import write_atomically
from seq2slim.training.metrics import decoded, encoded

CONFIG, DONE, LOCK = "config.json", "done.json", "lock"
_RECORDED = ("seq2slim", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "sentencepiece", "sacrebleu")
_SMALL = 2**20  # bytes; larger files have checks of their own (checkpoints) or would take long to hash at each look


class Damaged(ValueError):
    """What a finished stage has left in `home` is not what it wrote. The runner then counts it as unfinished."""

    def __init__(self, home: Path, message: str):
        super().__init__(message)
        self.home = home


def write_done(home: Path, record: dict):
    """Writes `record` with the versions at work, the SHA-256 of the home's small files, and one of its own."""
    write_atomically(home / DONE, _sealed({**record, "versions": _versions(), "files": _small_files(home)}))


def read_done(home: Path, identity: str) -> dict:
    """The record of a finished stage.

    Raises: OSError, ValueError, KeyError or TypeError if it is damaged or another stage's, or a small file has changed.
    """
    done = _unsealed((home / DONE).read_bytes().decode())
    if done["identity"] != identity:
        raise ValueError("it belongs to another identity")
    for name, digest in done["files"].items():
        if hashlib.sha256((home / name).read_bytes()).hexdigest() != digest:
            raise ValueError(f"{name} has changed since")
    return done


def _small_files(home: Path) -> dict[str, str]:
    own = {CONFIG, DONE, LOCK}
    files = (
        path
        for path in sorted(home.iterdir())
        if path.is_file() and path.name not in own and not path.name.endswith(".tmp")
    )
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.stat().st_size <= _SMALL}


def _sealed(record: dict) -> str:
    text = json.dumps(encoded(record), allow_nan=False, sort_keys=True)
    return (
        json.dumps({**json.loads(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}, sort_keys=True, indent=1)
        + "\n"
    )


def _unsealed(text: str) -> dict:
    record = json.loads(text)
    if (
        not isinstance(record, dict)
        or _sealed({name: value for name, value in record.items() if name != "sha256"}) != text
    ):
        raise ValueError("it fails its own checksum")
    return decoded(record)


def _versions() -> dict[str, str]:
    found = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    for name in _RECORDED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
