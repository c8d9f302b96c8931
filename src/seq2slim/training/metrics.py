"""`metrics.jsonl`: the metrics of a run, one JSON object per line, each with its "step"; the same goes to TensorBoard.

JSON has no NaN and no infinities: they are written as the strings "NaN", "Infinity", "-Infinity", and read back as
floats. Each line is flushed to the system at once: a kill loses at most the line being written.
"""

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from seq2slim.errors import UserError
from seq2slim.files import write_atomically
from seq2slim.json_values import decoded, encoded, plain

METRICS = "metrics.jsonl"
_FLUSH_EVERY = 60  # seconds between flushes, for a TensorBoard that is open during the run


class Metrics:
    """Writer of a run's metrics.

    Args:
      run_dir: run directory; gets `metrics.jsonl` and, with `tensorboard`, event files under `tensorboard/`.
      resume_step: the restored step. Lines beyond it are removed, as they will be written again. None: a new run.
      tensorboard: whether to write the event files.
      report: called with a message for each damaged line, which is then left out; None: such a line is an error.
    """

    def __init__(
        self,
        run_dir: Path,
        resume_step: int | None = None,
        tensorboard: bool = True,
        report: Callable[[str], None] | None = None,
    ):
        run_dir.mkdir(parents=True, exist_ok=True)
        step = -1 if resume_step is None else resume_step
        cut_back(run_dir / METRICS, step, report)
        self._file = (run_dir / METRICS).open("a", encoding="utf-8")
        self._board = _Board(run_dir / "tensorboard", step + 1) if tensorboard else None

    def write(self, step: int, **values: Any):
        """Appends one line; numbers go to TensorBoard too. Values: numbers, arrays, strings, bools, None, lists."""
        line = {"step": int(step), **{name: plain(value) for name, value in values.items()}}
        self._file.write(json.dumps(encoded(line), allow_nan=False) + "\n")
        self._file.flush()
        for name, value in line.items() if self._board else ():
            if name != "step" and isinstance(value, int | float) and not isinstance(value, bool):
                self._board.write(int(step), name, value)

    def sync(self):
        """Forces all lines to disk. To be called before a checkpoint is saved: resuming from it needs these lines."""
        os.fsync(self._file.fileno())
        if self._board:
            self._board.flush()

    def close(self):
        self._file.close()
        if self._board:
            self._board.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.close()
        except OSError:
            if kind is None:  # else the first error is the one to raise
                raise


class _Board:
    """TensorBoard's event file, written by the calling thread.

    The usual SummaryWriter has its own thread: if a full disk kills that thread, the queue fills and the run hangs.
    """

    def __init__(self, folder: Path, first_step: int):
        folder.mkdir(parents=True, exist_ok=True)
        self._events = EventsWriter(str(folder / "events"))
        self._flushed = -math.inf
        # From this event on, TensorBoard hides later steps of older files, left by an interrupted run.
        self._write(Event(step=first_step, session_log=SessionLog(status=SessionLog.START)))

    def write(self, step: int, name: str, value: float):
        self._write(Event(step=step, summary=scalar(name, value)))

    def flush(self):
        self._events.flush()
        self._flushed = time.monotonic()

    def close(self):
        self._events.close()

    def _write(self, event: Event):
        event.wall_time = time.time()
        self._events.write_event(event)
        if time.monotonic() > self._flushed + _FLUSH_EVERY:
            self.flush()


def cut_back(path: Path, step: int, report: Callable[[str], None] | None = None):
    """Removes the lines of `path` beyond `step`, and an unfinished last line. Atomic; a missing file stays missing.

    Args, Raises: as `read_metrics`.
    """
    if not path.exists():
        return
    kept = (json.dumps(encoded(row)) + "\n" for row in read_metrics(path, report) if row["step"] <= step)
    write_atomically(path, "".join(kept))


def read_metrics(path: Path, report: Callable[[str], None] | None = None) -> list[dict]:
    """All lines of a metrics file; an unfinished last line is left out.

    Args: report: called with a message for each other line that is not a JSON object with an integer "step"; the line
      is then left out.
    Raises: UserError naming file and line for such a line, if there is no `report`.
    """
    lines = path.read_bytes().split(b"\n")  # after the last newline: nothing, or an unfinished line
    rows = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            rows.append(_row(line))
        except ValueError as error:
            if report is None:
                raise UserError(f"{path}, line {number}: {error}") from None
            report(f"{path}, line {number} is left out: {error}")
    return rows


def _row(line: bytes) -> dict:
    try:
        row = decoded(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise UserError(f"not JSON ({error})") from None
    if not isinstance(row, dict) or not isinstance(row.get("step"), int):
        raise UserError('not an object with an integer "step"')
    return row
