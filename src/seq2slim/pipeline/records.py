"""What stands in the folders of runs: every config.json holds all options, and its parents' homes by name."""

import json
import re
from pathlib import Path

from seq2slim.pipeline.runner import CONFIG

_HOME = re.compile(r"[a-z]\w*-[0-9a-f]{16}")


def read_record(home: Path) -> dict:
    """The config.json of a run: kind, version, identity, content, options.

    Raises: ValueError naming the folder, if it is not the home of a stage or its config.json is damaged.
    """
    if not (home / CONFIG).is_file():
        raise ValueError(f"{home} is not the folder of a run: it has no {CONFIG}")
    try:
        record = json.loads((home / CONFIG).read_text(encoding="utf-8"))
        if not (isinstance(record["kind"], str) and isinstance(record["options"], dict)):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{home / CONFIG} is damaged") from None
    return record


def lineage(home: Path) -> list[tuple[Path, dict]]:
    """(home, record) of a run, its first parent, that one's first parent, and so on to the text.

    A parent that is not beside the run ends the list; a run may have been copied alone.
    """
    found = [(home, read_record(home))]
    seen = {home.resolve()}
    while (parent := _first_parent(*found[-1])) not in (None, *seen) and (parent / CONFIG).is_file():
        seen.add(parent)
        found.append((parent, read_record(parent)))
    return found


def text_home(home: Path) -> Path | None:
    """The home of the text that the model in `home` learnt from last; None if it is not beside the run.

    That is the `text` of a training, or `on` of a retraining that had its own; of other stages that of their `parent`.
    """
    options = read_record(home)["options"]
    for name in ("text", "on", "parent"):
        if isinstance(named := options.get(name), str) and _HOME.fullmatch(named):
            found = home.resolve().parent / named
            if not (found / CONFIG).is_file():
                return None
            return text_home(found) if name == "parent" else found
    return None


def _first_parent(home: Path, record: dict) -> Path | None:
    names = (value for value in record["options"].values() if isinstance(value, str) and _HOME.fullmatch(value))
    return next((home.resolve().parent / name for name in names), None)
