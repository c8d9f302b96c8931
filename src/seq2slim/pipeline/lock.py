"""A lock between processes that the kernel releases however its holder dies."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[str], None] = lambda holder: None, poll: Callable[[], None] = lambda: None):
    """Holds an exclusive flock on `path` (made if missing, never deleted) for the time of a `with` block.

    Args:
      path: the lock file; names its holder, for people.
      waiting: called once with the holder's name when somebody else has the lock.
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


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
