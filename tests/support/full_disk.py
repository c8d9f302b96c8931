"""Disks without room: a limit on the size of files, and a small file system that is really full.

python -m tests.support.full_disk FOLDER   (FOLDER on a file system of its own, of some 100 KiB) saves again and again
with a little more room each time, checks that nothing saved before is lost, and prints how many saves failed.
"""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from seq2slim.training.checkpoints import CheckpointError, Checkpoints

PAGE = 4096  # bytes: what a file system in memory gives away at once


def items(step):
    """A small save whose content depends on `step`."""
    params = {
        "encoder": {"layer_1": {"kernel": jnp.full((4, 8), step, jnp.float32)}},
        "softmax": jnp.arange(3.0) + step,
    }
    return {"params": params, "position": {"epoch": np.int64(step)}}


def content(folder: Path) -> dict[Path, bytes]:
    """All files of a folder."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def at_most(size: int):
    """No file of this process may grow beyond `size` bytes, whoever writes it: the error is EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def small_disk(folder: Path, kibibytes: int) -> list[str] | None:
    """What to put before a command, so that it finds an empty file system of that size at `folder`.

    It is the process' own and needs no privileges where the kernel lets users have namespaces; None where it does not.
    """
    script = f'mount -t tmpfs -o size={kibibytes}k none "$0" && exec "$@"'
    before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder)]
    works = shutil.which("unshare") and subprocess.run([*before, "true"], capture_output=True, check=False)
    return before if works and works.returncode == 0 else None


def failure(saves: Checkpoints) -> str:
    """Why step 30 cannot be saved; empty if it can."""
    try:
        saves.save(30, items(30))
    except CheckpointError as error:
        return str(error)
    return ""


def main(folder: Path):
    saves = Checkpoints(folder / "saves")
    for step in (10, 20):
        saves.save(step, items(step), best=step == 10)
    before, ballast, failures = content(saves.folder), folder / "ballast", 0
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    for room in range(0, free, 3 * PAGE):
        ballast.write_bytes(bytes(free - room))
        if not (error := failure(saves)):
            break
        assert "No space left on device; saves kept: [10, 20]" in error, error
        assert content(saves.folder) == before
        assert {path.name for path in saves.folder.iterdir()} == {"step_00000010-best", "step_00000020"}
        failures += 1
        ballast.unlink()
    assert Checkpoints(saves.folder).restore(items(0))[0] == 30
    assert saves.steps() == [10, 20, 30]
    print(failures)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
