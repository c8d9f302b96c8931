"""From the folder of a run back to its stage and all ancestors: what one more stage is built upon."""

import dataclasses
import types
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from seq2slim.pipeline.records import read_record
from seq2slim.pipeline.runner import CONFIG
from seq2slim.pipeline.stage import Stage, home_name, identity
from seq2slim.pipeline.stages.decode import Decode, HeldOut, Join, Retold, Select
from seq2slim.pipeline.stages.evaluate import Compare, Evaluate
from seq2slim.pipeline.stages.measure import Memory, Mode, Speed
from seq2slim.pipeline.stages.perplexity import Perplexity
from seq2slim.pipeline.stages.prune import Prune
from seq2slim.pipeline.stages.redundancy import Redundancy
from seq2slim.pipeline.stages.rehearse import Rehearse
from seq2slim.pipeline.stages.store import Store, StoreShape
from seq2slim.pipeline.stages.text import Text
from seq2slim.pipeline.stages.train import Retrain, Train
from seq2slim.pipeline.stages.words import StoreWords

_STAGES = (Text, Train, Prune, Retrain, Evaluate, Compare, Perplexity, Redundancy, Rehearse, Store, StoreShape)
_DISTILLATION = (Decode, Join, Select, HeldOut, Retold, StoreWords, Mode, Memory, Speed)
KINDS: dict[str, type[Stage]] = {kind.kind: kind for kind in _STAGES + _DISTILLATION}


def stage_of(home: Path) -> Stage:
    """The stage whose home this is, with all its ancestors, as it was when it ran.

    An option that the record does not have (it is newer) takes its default. The text is not read: the record says what
    its content was.

    Raises: ValueError if a record is missing or damaged, names what this version does not know, or if the stage would
      give other numbers today than it did (its identity has changed).
    """
    record = read_record(home)
    if record["kind"] not in KINDS:
        raise ValueError(f"{home} is of kind {record['kind']!r}; known are {', '.join(KINDS)}")
    kind = KINDS[record["kind"]]
    options = dict(record["options"])
    if "content" in {field.name for field in dataclasses.fields(kind)}:
        options["content"] = record.get("content") or options.get("content")
    stage = _built(kind, options, home)
    if identity(stage) != record.get("identity"):
        raise ValueError(
            f"{home} was made by another version of seq2slim, whose {record['kind']} gave other numbers: make it again"
        )
    if home.name != home_name(stage):
        raise ValueError(f"{home} is a copy under another name; its own is {home_name(stage)}, beside its parents")
    return stage


def _built(kind: type, options: dict, home: Path):
    """A dataclass from its options as `stage.config_of` wrote them."""
    hints = {field.name: get_type_hints(kind)[field.name] for field in dataclasses.fields(kind)}
    given = {name: value for name, value in options.items() if name != "__type__"}
    if unknown := given.keys() - hints.keys():
        raise ValueError(f"{home / CONFIG}: {kind.__name__} has no option {min(unknown)!r} in this version of seq2slim")
    return kind(**{name: _value(hints[name], value, home) for name, value in given.items()})


def _value(hint: Any, value: Any, home: Path) -> Any:
    """`value`, as JSON has it, of the type that `hint` says; a parent, which JSON has by name, from its own home."""
    if isinstance(hint, type) and issubclass(hint, Stage):
        return stage_of(home.parent / Path(str(value)).name)
    if get_origin(hint) in (Union, types.UnionType):
        chosen = [choice for choice in get_args(hint) if choice is not types.NoneType]
        return value if value is None or len(chosen) != 1 else _value(chosen[0], value, home)
    if get_origin(hint) is tuple and isinstance(value, list):
        inner = get_args(hint)
        hints = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else inner
        return tuple(_value(each, item, home) for each, item in zip(hints, value, strict=True))
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _built(hint, value, home)
    return float(value) if hint is float else value
