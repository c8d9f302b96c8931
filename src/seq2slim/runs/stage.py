"""A stage: a frozen dataclass of options and parent stages, whose identity is a hash of all that its numbers depend on.

@dataclass(frozen=True)
class Example(Stage):
    kind: ClassVar[str] = "example"
    version: ClassVar[int] = 1
    text: Text                                          # a Stage or a tuple of Stages: parents
    training: TrainingConfig = TrainingConfig()
    seed: int = 0
    report_every: int = field(default=50, metadata={"identity": False})      # does not change the numbers
"""

import dataclasses
import enum
import hashlib
import json
import math
from pathlib import Path
from typing import Any, ClassVar


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of an experiment. A subclass sets its `kind`, and raises `version` whenever its numbers would change.

    Fields that hold Stages or tuples of Stages are its parents. A field with metadata {"identity": False} (a path, a
    cache, how often to report) does not change the numbers and is no part of the identity.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1

    def run(self, run_dir: Path, context) -> dict | None:
        """Does the work, in `run_dir`. Called again after an interruption, it resumes from its last checkpoint.

        Args: run_dir: the folder of this stage, made by the runner. context: `runs.context.Context`.
        Returns: a small JSON-able result, stored in done.json; or None.
        """
        raise NotImplementedError(f"{type(self).__name__} has no run()")

    def describe(self) -> str:
        """One line for the plan; by default the options that differ from their defaults."""
        options = differing(self)
        if getattr(self, "seed", 0):
            options["seed"] = self.seed
        return ", ".join(f"{name}={_short(value)}" for name, value in options.items()) or "defaults"

    def content_hash(self) -> str | None:
        """Hash of external content that the numbers depend on (SHA-256 of a corpus); None if there is none."""
        return None


def parents(stage: Stage) -> tuple[Stage, ...]:
    """The parent stages, in the order of the fields."""
    return tuple(
        parent
        for value in _parent_fields(stage).values()
        for parent in (value if isinstance(value, tuple) else (value,))
    )


def identity(stage: Stage) -> str:
    """SHA-256 (64 hex digits) of everything that the numbers of a stage depend on.

    This is: kind, version, seed, the options that differ from their defaults (a new option changes no identity),
    the identities of the parents, and `content_hash()`; neither paths nor package versions.

    Raises: TypeError naming the field, for an option that has no canonical form (a Path, an array, a function).
    """
    content = {
        "kind": stage.kind,
        "version": stage.version,
        "options": differing(stage),
        "parents": {
            name: [identity(parent) for parent in value] if isinstance(value, tuple) else identity(value)
            for name, value in _parent_fields(stage).items()
        },
    }
    if hasattr(stage, "seed"):
        content["seed"] = stage.seed
    if (outside := stage.content_hash()) is not None:
        content["content"] = outside
    return hashlib.sha256(_json(content).encode()).hexdigest()


def run_name(stage: Stage) -> str:
    """Name of the run directory of a stage: its kind and the first 16 digits of its identity."""
    return f"{stage.kind}-{identity(stage)[:16]}"


def differing(config, default=None) -> dict[str, Any]:
    """The options of a dataclass that differ from those of `default` (same type), else from the fields' defaults.

    Parents, the seed of a stage and fields with metadata {"identity": False} are left out; nested dataclasses are
    treated in the same way.
    """
    is_stage = isinstance(config, Stage)
    left_out = {"seed", *_parent_fields(config)} if is_stage else set()
    options = {}
    for field in dataclasses.fields(config):
        if field.name in left_out or not field.metadata.get("identity", True):
            continue
        value = getattr(config, field.name)
        usual = _default(field) if default is None else getattr(default, field.name)
        where = f"{type(config).__name__}.{field.name}"
        if usual is dataclasses.MISSING:
            options[field.name] = _canonical(value, where)
        elif dataclasses.is_dataclass(value) and type(value) is type(usual):
            if inner := differing(value, usual):
                options[field.name] = inner
        elif _json(form := _canonical(value, where)) != _json(_canonical(usual, where)):
            options[field.name] = form
    return options


def config_of(value) -> Any:
    """All options of a stage (or any dataclass) as JSON-able values, for the record; parents by name."""
    if isinstance(value, Stage):
        own = _parent_fields(value)
        return {
            field.name: _run_names(own[field.name]) if field.name in own else config_of(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if dataclasses.is_dataclass(value):
        return {"__type__": type(value).__name__} | {
            f.name: config_of(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {str(name): config_of(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [config_of(inner) for inner in value]
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _run_names(value):
    return [run_name(stage) for stage in value] if isinstance(value, tuple) else run_name(value)


def _parent_fields(stage: Stage) -> dict[str, Stage | tuple[Stage, ...]]:
    found = {}
    for field in dataclasses.fields(stage):
        value = getattr(stage, field.name)
        if isinstance(value, Stage) or (
            isinstance(value, tuple) and value and all(isinstance(v, Stage) for v in value)
        ):
            found[field.name] = value
    return found


def _default(field: dataclasses.Field):
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default


def _canonical(value, where: str):
    """`value` in JSON, the same for equal values (1 and 1.0); a dataclass is its type and the options that differ."""
    if isinstance(value, Stage):
        raise TypeError(f"{where} holds a stage; parents are fields of the stage itself: a Stage, or a tuple of Stages")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"__type__": type(value).__name__, **differing(value)}
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value if math.isfinite(value) else repr(value)
    if isinstance(value, list | tuple):
        return [_canonical(inner, f"{where}[{index}]") for index, inner in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: _canonical(inner, f"{where}[{name!r}]") for name, inner in value.items()}
    hint = (
        "mark it metadata={'identity': False} and hash its content"
        if isinstance(value, Path)
        else "give it as plain values"
    )
    raise TypeError(f"{where} is {value!r}, which cannot be part of an identity; {hint}")


def _json(value) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _short(value) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{name}={_short(option)}" for name, option in value.items() if name != "__type__")
        return f"{value.get('__type__', '')}({inner})"
    return str(value)
