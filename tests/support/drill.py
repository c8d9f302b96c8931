"""Kills a command at a chosen moment: for the drills of every stage that resumes bit for bit.

for kill in range(3):
    killed = run_and_kill(command, moment(run_dir, saving=kill % 2 == 0), delay=random.uniform(0, 0.5))
run the command to its end; compare `arrays(run_dir)` with those of an uninterrupted run
"""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from seq2slim.training.checkpoints import Checkpoints
from seq2slim.training.loop import SAVES

POLL = 0.002  # seconds: well below the time that saving takes


def moment(run_dir: Path, saving: bool) -> Callable[[], bool]:
    """A function: whether the run in `run_dir` has begun a checkpoint (`saving`) or written metrics since this call."""
    metrics = run_dir / "metrics.jsonl"

    def lines() -> tuple[int, int] | None:
        return (metrics.stat().st_size, metrics.stat().st_ino) if metrics.exists() else None

    def being_written() -> set[tuple[str, int]]:
        found = set()
        for path in run_dir.glob("*/saving-*"):
            with contextlib.suppress(FileNotFoundError):
                found.add((path.name, path.stat().st_ctime_ns))
        return found

    before_lines, leftovers = lines(), being_written()  # left by the kill before this one
    return lambda: bool(being_written() - leftovers) if saving else lines() != before_lines


def run_and_signal(
    command: Sequence[str],
    when: Callable[[], bool],
    delay: float = 0.0,
    number=signal.SIGKILL,
    timeout: float = 300,
    **popen,
) -> tuple[int, str]:
    """Starts `command`, waits until `when()`, then `delay` seconds, and sends the signal.

    Returns: (exit code, output); the exit code is -9 if the kill came in time.
    Raises: TimeoutError if `when()` stays false, or the process runs on, for `timeout` seconds.
    """
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **popen)
    try:
        end = time.monotonic() + timeout
        while process.poll() is None and not when():
            if time.monotonic() > end:
                raise TimeoutError(f"{command} did not get there in {timeout} s")
            time.sleep(POLL)
        time.sleep(delay)
        process.send_signal(number)  # does nothing to a process that has ended
        output, _ = process.communicate(timeout=timeout)
    finally:
        process.kill()
        process.wait()
    return process.returncode, output


def arrays(run_dir: Path, folder: str = SAVES) -> dict[str, np.ndarray]:
    """All arrays of the newest and of the best checkpoint of a run, by name: what must be the same bit for bit."""
    checkpoints = Checkpoints(run_dir / folder)
    found = {}
    for best in (False, True):
        for item in checkpoints.items(best=best):
            step, tree = checkpoints.restore_item(item, best=best)
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
                found[f"{'best' if best else 'last'} {step} {item}{jax.tree_util.keystr(path)}"] = np.asarray(leaf)
    return found


def assert_same_bits(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]):
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype
        assert actual[name].tobytes() == array.tobytes(), name
