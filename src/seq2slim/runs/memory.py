"""Peak resident memory of this process, since it started or since the last reset."""

import gc
import resource
import sys
from pathlib import Path

GIB = 2**30  # bytes
_PROCESS = Path("/proc/self")


def reset_peak() -> bool:
    """Sets the peak to what is resident now. Returns: whether the kernel allowed it; if not, the peak is unchanged."""
    gc.collect()  # NumPy arrays that JAX has copied live until then, and their memory would be reused unseen
    try:
        (_PROCESS / "clear_refs").write_text("5")  # see proc(5)
    except OSError:
        return False
    return True


def peak_bytes() -> int:
    """Peak resident memory of this process, in bytes."""
    try:
        (line,) = (line for line in (_PROCESS / "status").read_text().splitlines() if line.startswith("VmHWM:"))
    except (OSError, ValueError):  # another kernel, or one that hides it
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return int(line.split()[1]) * 1024
