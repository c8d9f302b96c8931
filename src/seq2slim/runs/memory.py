"""How much memory this process has had resident at most, since it began or since the last reset."""

import gc
import resource
import sys
from pathlib import Path

GIB = 2**30  # bytes
_PROCESS = Path("/proc/self")


def reset_peak() -> bool:
    """Makes the peak what is resident now. Returns: whether the kernel let it; else the peak stays what it was."""
    gc.collect()  # NumPy arrays that JAX has copied linger until then, and would make room for what comes
    try:
        (_PROCESS / "clear_refs").write_text("5")  # see proc(5)
    except OSError:
        return False
    return True


def peak_bytes() -> int:
    """The most memory that this process has had resident, in bytes."""
    try:
        (line,) = (line for line in (_PROCESS / "status").read_text().splitlines() if line.startswith("VmHWM:"))
    except (OSError, ValueError):  # another kernel, or one that hides it
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return int(line.split()[1]) * 1024
