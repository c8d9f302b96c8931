"""Rebuilds the stage of a run directory, with all ancestors, so that further stages can be built on it."""

import dataclasses
import types
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from seq2slim.errors import UserError
from seq2slim.runs.done import CONFIG
from seq2slim.runs.records import read_record
from seq2slim.runs.stage import Stage, identity, run_name
from seq2slim.stages.decode import Decode, Join
from seq2slim.stages.dry_run import DryRun
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.measure import Memorisation, Mode, Speed
from seq2slim.stages.perplexity import Perplexity
from seq2slim.stages.prune import Prune
from seq2slim.stages.redundancy import Redundancy
from seq2slim.stages.relabel import HeldOut, RelabelledText, Select
from seq2slim.stages.store import Store, StoreShape
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.stages.words import StoreWords

STAGES = (
    Text, Train, Prune, Retrain, Evaluate, Compare, Perplexity, Redundancy, DryRun, Store, StoreShape, Decode, Join,
    Select, HeldOut, RelabelledText, StoreWords, Mode, Memorisation, Speed,
)  # fmt: skip
KINDS: dict[str, type[Stage]] = {stage.kind: stage for stage in STAGES}


def stage_of(run_dir: Path) -> Stage:
    """The stage that made a run directory, with all its ancestors and the options that it ran with.

    An option that is missing in the record (it is newer) takes its default. The text is not read: the record
    has the hash of its content.

    Raises: UserError if a record is missing or damaged, has an unknown kind or option, or if the stage would give
      different numbers today (its identity has changed).
    """
    record = read_record(run_dir)
    if record["kind"] not in KINDS:
        raise UserError(f"{run_dir} is of kind {record['kind']!r}; known are {', '.join(KINDS)}")
    kind = KINDS[record["kind"]]
    options = dict(record["options"])
    if "content" in {field.name for field in dataclasses.fields(kind)}:
        options["content"] = record.get("content") or options.get("content")
    stage = _built(kind, options, run_dir)
    if identity(stage) != record.get("identity"):
        raise UserError(
            f"{run_dir} was made by another version of seq2slim, whose {record['kind']} computes different numbers: "
            "run it again with this version"
        )
    if run_dir.name != run_name(stage):
        raise UserError(f"{run_dir} is a renamed copy of {run_name(stage)}; use the original, beside its parents")
    return stage


def _built(kind: type, options: dict, run_dir: Path):
    """A dataclass from its options as `stage.config_of` wrote them."""
    hints = {field.name: get_type_hints(kind)[field.name] for field in dataclasses.fields(kind)}
    given = {name: value for name, value in options.items() if name != "__type__"}
    if unknown := given.keys() - hints.keys():
        raise UserError(
            f"{run_dir / CONFIG}: {kind.__name__} has no option {min(unknown)!r} in this version of seq2slim"
        )
    return kind(**{name: _value(hints[name], value, run_dir) for name, value in given.items()})


def _value(hint: Any, value: Any, run_dir: Path) -> Any:
    """A JSON `value` as the type `hint`; a parent, which JSON gives by name, is rebuilt from its run directory."""
    if isinstance(hint, type) and issubclass(hint, Stage):
        return stage_of(run_dir.parent / Path(str(value)).name)
    if get_origin(hint) in (Union, types.UnionType):
        chosen = [choice for choice in get_args(hint) if choice is not types.NoneType]
        return value if value is None or len(chosen) != 1 else _value(chosen[0], value, run_dir)
    if get_origin(hint) is tuple and isinstance(value, list):
        inner = get_args(hint)
        hints = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else inner
        return tuple(_value(each, item, run_dir) for each, item in zip(hints, value, strict=True))
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _built(hint, value, run_dir)
    return float(value) if hint is float else value
