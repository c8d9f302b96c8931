"""Full disks: a limit on the size of files, and a small file system that is really full.

python -m tests.support.full_disk FOLDER   (FOLDER: the mount point of a file system of some 100 KiB) saves repeatedly
with a little more free space each time, checks that no earlier checkpoint is lost, and prints how many saves failed.
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

PAGE = 4096  # bytes: the unit of allocation of a tmpfs


def items(step):
    """Items of a small checkpoint; their content depends on `step`."""
    params = {
        "encoder": {"layer_1": {"kernel": jnp.full((4, 8), step, jnp.float32)}},
        "softmax": jnp.arange(3.0) + step,
    }
    return {"params": params, "position": {"epoch": np.int64(step)}}


def content(folder: Path) -> dict[Path, bytes]:
    """Content of all files of a folder, by relative path."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextlib.contextmanager
def at_most(size: int):
    """No file of this process may grow beyond `size` bytes, whatever writes it: the error is EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def small_disk(folder: Path, kibibytes: int) -> list[str] | None:
    """Prefix of a command that gives the command an empty file system of that size at `folder`.

    Only that command sees it. It needs no privileges if the kernel allows user namespaces; None if it does not.
    """
    script = f'mount -t tmpfs -o size={kibibytes}k none "$0" && exec "$@"'
    before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder)]
    works = shutil.which("unshare") and subprocess.run([*before, "true"], capture_output=True, check=False)
    return before if works and works.returncode == 0 else None


def failure(checkpoints: Checkpoints) -> str:
    """Why step 30 cannot be saved; empty if it can."""
    try:
        checkpoints.save(30, items(30))
    except CheckpointError as error:
        return str(error)
    return ""


def main(folder: Path):
    checkpoints = Checkpoints(folder / "saves")
    for step in (10, 20):
        checkpoints.save(step, items(step), best=step == 10)
    before, ballast, failures = content(checkpoints.folder), folder / "ballast", 0
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    for room in range(0, free, 3 * PAGE):
        ballast.write_bytes(bytes(free - room))
        if not (error := failure(checkpoints)):
            break
        assert "No space left on device; checkpoints kept: [10, 20]" in error, error
        assert content(checkpoints.folder) == before
        assert {path.name for path in checkpoints.folder.iterdir()} == {"step_00000010-best", "step_00000020"}
        failures += 1
        ballast.unlink()
    assert Checkpoints(checkpoints.folder).restore(items(0))[0] == 30
    assert checkpoints.steps() == [10, 20, 30]
    print(failures)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
