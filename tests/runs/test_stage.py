"""Identity: what changes it, what must not."""

import dataclasses
import hashlib
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from seq2slim.runs.stage import Stage, config_of, differing, identity, parents, run_name


@dataclass(frozen=True)
class Sgd:
    rate: float = 1.0


@dataclass(frozen=True)
class Adam:
    rate: float = 1.0


@dataclass(frozen=True)
class Training:
    epochs: int = 12
    optimizer: Sgd | Adam = Sgd(rate=0.5)
    cache: Path | None = field(default=None, metadata={"identity": False})


@dataclass(frozen=True)
class Text(Stage):
    kind: ClassVar[str] = "text"
    name: str = "bible"
    content: str = field(default="", metadata={"identity": False})

    def content_hash(self):
        return self.content or None


@dataclass(frozen=True)
class Train(Stage):
    kind: ClassVar[str] = "train"
    text: Text
    training: Training = Training()
    others: tuple[Stage, ...] = ()
    seed: int = 0


BASE = Train(Text())


def make(name, base, version=1, **fields):
    """A class called `name` with these fields after those of `base`, as in a later version of the program."""
    namespace = {"version": version, "__annotations__": {"version": ClassVar[int]}}
    options = [(option, type(value), field(default=value)) for option, value in fields.items()]
    return dataclasses.make_dataclass(name, options, bases=(base,), namespace=namespace, frozen=True)


def test_a_new_option_with_a_default_changes_nothing():
    later_training = make("Training", Training, smoothing=0.1)
    later_train = make("Train", Train, patience=3)
    later_sgd = make("Sgd", Sgd, clip=5.0)
    later = later_train(Text(), later_training(optimizer=later_sgd(rate=0.5)))
    with_defaults = dataclasses.make_dataclass(
        "Train", [("training", later_training, field(default=later_training(optimizer=later_sgd(rate=0.5))))],
        bases=(later_train,), frozen=True,
    )  # fmt: skip
    assert identity(with_defaults(Text())) == identity(BASE)
    changed = later_training(epochs=3, optimizer=later_sgd(rate=0.5))
    assert identity(with_defaults(Text(), changed)) == identity(Train(Text(), Training(epochs=3)))
    assert identity(later) != identity(with_defaults(Text(), later_training(smoothing=0.2)))


CHANGED = {
    "option": Train(Text(), Training(epochs=13)),
    "nested option": Train(Text(), Training(optimizer=Sgd(rate=0.25))),
    "nested back to its own default": Train(Text(), Training(optimizer=Sgd())),
    "another type with the same options": Train(Text(), Training(optimizer=Adam(rate=0.5))),
    "seed": Train(Text(), seed=1),
    "parent": Train(Text("reverse")),
    "parent's content": Train(Text(content="ab12")),
    "one more parent": Train(Text(), others=(Text(),)),
    "two more parents": Train(Text(), others=(Text(), Text("reverse"))),
    "their order": Train(Text(), others=(Text("reverse"), Text())),
    "version": make("Train", Train, version=2)(Text()),
    "version of a parent": Train(make("Text", Text, version=2)()),
}


def test_whatever_changes_numbers_changes_the_identity():
    identities = {name: identity(stage) for name, stage in CHANGED.items()} | {"base": identity(BASE)}
    assert len(set(identities.values())) == len(identities)


def test_what_changes_no_number_does_not():
    assert identity(Train(Text(), Training(cache=Path("/somewhere")))) == identity(BASE)
    assert identity(Train(Text(), Training(epochs=12.0))) == identity(BASE)


def test_the_identity_is_the_hash_of_canonical_json_in_any_process():
    text = hashlib.sha256(b'{"kind":"text","options":{},"parents":{},"version":1}').hexdigest()
    before, after = (
        b'{"kind":"train","options":{"training":{"epochs":13}},"parents":{"text":"',
        b'"},"seed":0,"version":1}',
    )
    expected = hashlib.sha256(before + text.encode() + after).hexdigest()
    assert identity(CHANGED["option"]) == expected
    code = "from tests.runs.test_stage import *; print(identity(CHANGED['option']), run_name(CHANGED['option']))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert printed == [expected, f"train-{expected[:16]}"]


def test_options_without_a_canonical_form_are_refused_by_name():
    for bad, message in [
        (make("Text", Text, path=Path("/x"))(path=Path("/y")), r"Text\.path is .*identity"),
        (make("Text", Text, function=None)(function=print), r"Text\.function"),
        (make("Text", Text, rows=())(rows=(1, {2: 3})), r"Text\.rows\[1\]"),
        (make("Text", Text, mixed=())(mixed=(1, Text())), r"Text\.mixed\[1\]"),
    ]:
        with pytest.raises(TypeError, match=message):
            identity(bad)


def test_parents_in_the_order_of_the_fields():
    assert parents(Train(Text("a"), others=(Text("b"), Text("c")))) == (Text("a"), Text("b"), Text("c"))


def test_descriptions_and_records():
    stage = Train(Text(), Training(epochs=3, optimizer=Adam()), seed=4)
    assert differing(stage) == {"training": {"epochs": 3, "optimizer": {"__type__": "Adam"}}}
    assert stage.describe() == "training=(epochs=3, optimizer=Adam()), seed=4"
    assert BASE.describe() == "defaults"
    assert config_of(stage) == {
        "text": run_name(Text()),
        "training": {
            "__type__": "Training", "epochs": 3, "optimizer": {"__type__": "Adam", "rate": 1.0}, "cache": None,
        },
        "others": [],
        "seed": 4,
    }  # fmt: skip
