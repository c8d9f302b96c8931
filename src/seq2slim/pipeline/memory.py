"""How much memory this process has had resident at most, since it began or since the last reset."""

import gc
import resource
import sys
from pathlib import Path

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
        status = (_PROCESS / "status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
