"""Files of run directories: config.json with all options of a stage and the names of its parents; its series."""

import json
import re
from pathlib import Path
from typing import Any

from seq2slim.errors import UserError
from seq2slim.files import write_atomically
from seq2slim.runs.done import CONFIG

SERIES = "series.json"
_RUN_NAME = re.compile(r"[a-z]\w*-[0-9a-f]{16}")


def read_record(run_dir: Path) -> dict:
    """The config.json of a run: kind, version, identity, content, options.

    Raises: UserError naming the folder, if it is not a run directory or its config.json is damaged.
    """
    if not (run_dir / CONFIG).is_file():
        raise UserError(f"{run_dir} is not a run directory: it has no {CONFIG}")
    try:
        record = json.loads((run_dir / CONFIG).read_text(encoding="utf-8"))
        if not (isinstance(record["kind"], str) and isinstance(record["options"], dict)):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{run_dir / CONFIG} is damaged") from None
    return record


def lineage(run_dir: Path) -> list[tuple[Path, dict]]:
    """(run_dir, record) of a run, its first parent, that one's first parent, and so on to the text.

    A parent that is missing beside the run ends the list; a run may have been copied alone.
    """
    found = [(run_dir, read_record(run_dir))]
    seen = {run_dir.resolve()}
    while (parent := _first_parent(*found[-1])) not in (None, *seen) and (parent / CONFIG).is_file():
        seen.add(parent)
        found.append((parent, read_record(parent)))
    return found


def text_dir(run_dir: Path) -> Path | None:
    """The run directory of the text that the model in `run_dir` was last trained on; None if it is not beside the run.

    This is the `text` of a training, the `on` of a retraining that has one, and the text of the `parent` otherwise.
    """
    options = read_record(run_dir)["options"]
    for name in ("text", "on", "parent"):
        if isinstance(named := options.get(name), str) and _RUN_NAME.fullmatch(named):
            found = run_dir.resolve().parent / named
            if not (found / CONFIG).is_file():
                return None
            return text_dir(found) if name == "parent" else found
    return None


def write_series(run_dir: Path, series: dict[str, Any]):
    """Writes the series of a stage (name -> values that JSON can hold), of which reports and figures are made."""
    write_atomically(run_dir / SERIES, json.dumps(series) + "\n")


def read_series(run_dir: Path) -> dict[str, Any]:
    """The series of a finished stage."""
    return json.loads((run_dir / SERIES).read_text(encoding="utf-8"))


def _first_parent(run_dir: Path, record: dict) -> Path | None:
    names = (value for value in record["options"].values() if isinstance(value, str) and _RUN_NAME.fullmatch(value))
    return next((run_dir.resolve().parent / name for name in names), None)
