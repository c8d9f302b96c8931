"""Atomic file writes, checksums, and a lock between processes."""

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A new binary file that becomes `path` at the end of the `with` block, when it is on the disk.

    An exception leaves the old file, and nothing else. What a kill leaves is removed by the next write.
    """
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync(path.parent)


def write_atomically(path: Path, content: str | bytes):
    """Writes a complete file (text as UTF-8), or leaves the old one; it is on the disk when this returns."""
    with written_whole(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A new empty folder beside `path` for a `with` block. What a kill leaves is removed by the next one.

    One at a time in a process, for each path.
    """
    folder = _temporary(path)
    shutil.rmtree(folder, ignore_errors=True)  # of a dead process with the same number
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fsync(path: Path):
    """Forces a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> str:
    """The SHA-256 (64 hex digits) of a file, streamed."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[str], None] = lambda holder: None, poll: Callable[[], None] = lambda: None):
    """Holds an exclusive flock on `path` (made if missing, never deleted) for the time of a `with` block.

    The kernel releases it when the holder dies.

    Args:
      path: the lock file; its content names the holder.
      waiting: called once with the name of the holder if another process has the lock.
      poll: called every 0.2 s while waiting; may raise to give up.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _taken(descriptor):
            waiting(os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "another process")
            while not _taken(descriptor):
                poll()
                time.sleep(0.2)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {os.uname().nodename}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    """A name beside `path` for this process only; those of dead processes are removed."""
    prefix = f".{path.name}.{os.uname().nodename}-"
    for left in path.parent.glob(f"{glob.escape(prefix)}*.tmp"):
        if not _lives(left.name.removeprefix(prefix).removesuffix(".tmp")):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
    return path.with_name(f"{prefix}{os.getpid()}.tmp")


def _lives(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
