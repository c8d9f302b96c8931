"""Processes of the benchmark: how each is started, the Python for the peers, and a description of the machine."""

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # glibc reads it when a process starts
# Huge pages are chosen for each process; the other two make OpenBLAS use kernels made for another machine.
NOT_INHERITED = ("GLIBC_TUNABLES", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def environment(huge_pages: bool) -> dict[str, str]:
    """Environment variables of a measured process."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return kept | HUGE_PAGES if huge_pages else kept


def printed(command: list[str], huge_pages: bool) -> dict:
    """The JSON in the last line of a process's output.

    Raises: RuntimeError with the end of its standard error if it fails.
    """
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(huge_pages))
    if answer.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {answer.returncode}:\n{answer.stderr[-2000:]}")
    return json.loads(answer.stdout.splitlines()[-1])


def python_with_torch(candidates: list[str]) -> tuple[str, str] | None:
    """The first Python that can import torch, and its version of torch; None if there is none."""
    for python in candidates:
        try:
            probe = [python, "-c", "import torch; print(torch.__version__)"]
            answer = subprocess.run(probe, capture_output=True, text=True, env=environment(False))
        except OSError:
            continue
        if answer.returncode == 0:
            return python, answer.stdout.strip()
    return None


def machine(torch: str | None) -> dict:
    """The machine and its load average now. torch: version of the peers' PyTorch."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor() or platform.machine()
    described = {"cpu": cpu, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    versions = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "numpy")}
    return described | {"python": platform.python_version()} | versions | {"torch": torch}
