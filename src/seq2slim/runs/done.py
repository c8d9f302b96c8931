"""`done.json`, written last into a run directory: marks the stage as finished and holds hashes of its small files."""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path

from seq2slim.errors import UserError
from seq2slim.files import write_atomically
from seq2slim.json_values import decoded, encoded

CONFIG, DONE, LOCK = "config.json", "done.json", "lock"
_RECORDED = ("seq2slim", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "sentencepiece", "sacrebleu")
_SMALL = 2**20  # bytes; larger files have their own checks (checkpoints), or would be slow to hash on every read


def write_done(run_dir: Path, record: dict):
    """Writes `record` with package versions, the SHA-256 of each small file of the run directory, and one of itself."""
    write_atomically(run_dir / DONE, _sealed({**record, "versions": _versions(), "files": _small_files(run_dir)}))


def read_done(run_dir: Path, identity: str) -> dict:
    """The record of a finished stage.

    Raises: OSError, ValueError, KeyError or TypeError if it, or a small file, is damaged, or it is of another stage.
    """
    done = _unsealed((run_dir / DONE).read_bytes().decode())
    if done["identity"] != identity:
        raise UserError("it belongs to another identity")
    for name, digest in done["files"].items():
        if hashlib.sha256((run_dir / name).read_bytes()).hexdigest() != digest:
            raise UserError(f"{name} has changed since")
    return done


def _small_files(run_dir: Path) -> dict[str, str]:
    own = {CONFIG, DONE, LOCK}
    files = (
        path
        for path in sorted(run_dir.iterdir())
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
        raise UserError("it fails its own checksum")
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
