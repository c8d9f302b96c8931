"""The manifest of a checkpoint: size and SHA-256 of every file, dtype and shape of every leaf, and its own SHA-256.

It is written last, when everything else is on disk: a folder with a manifest is a complete checkpoint.
"""

import hashlib
import json
from pathlib import Path

from seq2slim.errors import UserError
from seq2slim.files import file_sha256, fsync

MANIFEST = "manifest.json"


def write_manifest(folder: Path, step: int, best: bool, items: dict[str, dict[str, list]]):
    """Forces all files of a checkpoint to disk, then writes their sizes and checksums.

    Args: folder: the checkpoint, complete otherwise. step, best: from its name. items: item -> leaf -> [dtype, shape].
    """
    files = {}
    for path in _files(folder):
        fsync(path)
        files[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "sha256": file_sha256(path)}
    with (folder / MANIFEST).open("x") as manifest:
        manifest.write(_manifest_text({"step": step, "best": best, "items": items, "files": files}))
    fsync(folder / MANIFEST)
    for parent in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        fsync(parent)


def verified(folder: Path, step: int, best: bool, items: set[str]) -> dict:
    """The manifest of a checkpoint, once its own checksum, the list of files and the files of `items` are checked.

    Args: folder: the checkpoint. step, best: from its name. items: those whose files are checked.
    Raises: OSError, ValueError, KeyError or TypeError if anything is damaged.
    """
    text = (folder / MANIFEST).read_bytes().decode()
    manifest = json.loads(text)
    manifest.pop("sha256")
    if _manifest_text(manifest) != text or (manifest["step"], manifest["best"]) != (step, best):
        raise UserError(f"{MANIFEST} fails its own checksum")
    expected = manifest["files"]
    present = {path.relative_to(folder).as_posix() for path in _files(folder)} - {MANIFEST}
    if odd := sorted(present ^ set(expected)):
        raise UserError(f"{odd[0]} is {'missing' if odd[0] in expected else 'not in the manifest'}")
    for name, file in expected.items():
        _, _, inner = name.partition("/")
        other = inner.partition("/")[0]
        if other in manifest["items"] and other not in items:
            continue
        if (size := (folder / name).stat().st_size) != file["size"]:
            raise UserError(f"{name} has {size} bytes instead of {file['size']}")
        if file_sha256(folder / name) != file["sha256"]:
            raise UserError(f"{name} fails its checksum")
    return manifest


def _manifest_text(manifest: dict) -> str:
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    return json.dumps({**manifest, "sha256": digest}, sort_keys=True, indent=1)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())
