"""`metrics.jsonl`: what a run measured, one JSON object a line, each with its "step"; and the same in TensorBoard.

JSON has no word for NaN and the infinities: they are written as the strings "NaN", "Infinity", "-Infinity", and read
back as floats. Lines are appended and handed to the system at once: a kill loses at most the line being written.
"""

import json
import math
import os
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

METRICS = "metrics.jsonl"
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Metrics:
    """Writer of a run's metrics.

    Args:
      home: folder of the run; gets `metrics.jsonl` and, with `tensorboard`, event files under `tensorboard/`.
      resume_step: the restored step: everything beyond it, which will be measured again, is dropped. None starts anew.
      tensorboard: whether to write the event files.
    """

    def __init__(self, home: Path, resume_step: int | None = None, tensorboard: bool = True):
        home.mkdir(parents=True, exist_ok=True)
        step = -1 if resume_step is None else resume_step
        cut_back(home / METRICS, step)
        self._file = (home / METRICS).open("a", encoding="utf-8")
        # TensorBoard itself hides the events from `purge_step` on that an interrupted attempt left in older files.
        self._board = SummaryWriter(str(home / "tensorboard"), purge_step=step + 1) if tensorboard else None

    def write(self, step: int, **values: Any):
        """Appends one line, numbers also to TensorBoard. Values: numbers, arrays, strings, bools, None, lists."""
        line = {"step": int(step), **{name: plain(value) for name, value in values.items()}}
        self._file.write(json.dumps(encoded(line), allow_nan=False) + "\n")
        self._file.flush()
        for name, value in line.items() if self._board else ():
            if name != "step" and isinstance(value, int | float) and not isinstance(value, bool):
                self._board.add_scalar(name, value, int(step))

    def sync(self):
        """Forces all lines to the disk: to be called before a save, which vouches for the steps up to its own."""
        os.fsync(self._file.fileno())
        if self._board:
            self._board.flush()

    def close(self):
        self._file.close()
        if self._board:
            self._board.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def cut_back(path: Path, step: int):
    """Drops the lines of `path` beyond `step`, and a last line that was never finished. Atomic; no file is no lines.

    Raises: ValueError naming file and line if a line before the last one is damaged.
    """
    if not path.exists():
        return
    kept = [json.dumps(encoded(row)) + "\n" for row in read_metrics(path) if row["step"] <= step]
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(kept)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_metrics(path: Path) -> list[dict]:
    """All lines of a metrics file; a last line torn by a kill is left out.

    Raises: ValueError naming file and line if any other line is not a JSON object with an integer "step".
    """
    lines = path.read_bytes().split(b"\n")  # the last one is what follows the last newline: nothing, or torn
    rows = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            row = decoded(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error})") from None
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            raise ValueError(f'{path}, line {number}: not an object with an integer "step"')
        rows.append(row)
    return rows


def plain(value: Any) -> Any:
    """Scalars of numpy and jax as Python numbers, arrays as lists; everything else unchanged."""
    return value.tolist() if hasattr(value, "tolist") else value


def encoded(value: Any) -> Any:
    """`value` (dicts, lists, scalars, arrays) as valid JSON: NaN and infinities as strings. Inverse: `decoded`."""
    value = plain(value)
    if isinstance(value, dict):
        return {name: encoded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def decoded(value: Any) -> Any:
    """`value` with the strings of `encoded` as floats again."""
    if isinstance(value, dict):
        return {name: decoded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [decoded(inner) for inner in value]
    return _NON_FINITE.get(value, value) if isinstance(value, str) else value
