"""A stage is rebuilt from its run directory: same type, options and identity, with all its ancestors."""

import dataclasses
import importlib
import json
import pkgutil

import pytest

from seq2slim import stages
from seq2slim.runs.stage import Stage, identity, run_name
from seq2slim.stages.rebuild import KINDS, stage_of
from seq2slim.stages.text import Text
from tests.support.stage_graph import recorded_graph


@pytest.fixture
def run_dirs(tmp_path):
    return recorded_graph(tmp_path)


def without_content(stage: Stage) -> Stage:
    """The same graph as it was typed, without what rebuilding knows about the text."""
    changes = {
        field.name: without_content(value)
        for field in dataclasses.fields(stage)
        if isinstance(value := getattr(stage, field.name), Stage)
    }
    return dataclasses.replace(stage, **changes, **({"content": None} if isinstance(stage, Text) else {}))


def test_every_stage_comes_back(run_dirs):
    for stage, run_dir in run_dirs.items():
        found = stage_of(run_dir)
        assert without_content(found) == stage
        assert identity(found) == identity(stage)


def test_the_text_may_be_gone(run_dirs, tmp_path):
    for path in tmp_path.glob("t*.?"):
        path.unlink()
    found = [stage_of(run_dir) for run_dir in run_dirs.values()]
    assert [run_name(stage) for stage in found] == [run_dir.name for run_dir in run_dirs.values()]


def test_a_text_that_has_changed_is_refused_when_it_must_be_read_again(run_dirs, tmp_path):
    text = stage_of(next(iter(run_dirs.values())))
    (tmp_path / "train.a").write_text("other words\n")
    with pytest.raises(ValueError, match="has changed since"):
        text.run(tmp_path / "runs" / run_name(text), None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record["options"].update(units=3), "no option 'units'"),
        (lambda record: record["options"].update(sparsity=0.5), "made by another version"),
        (lambda record: record.update(kind="prnue"), "of kind 'prnue'"),
        (lambda record: record.pop("options"), "damaged"),
    ],
)
def test_what_this_version_cannot_rebuild_is_refused(run_dirs, change, message):
    run_dir = next(run_dir for stage, run_dir in run_dirs.items() if stage.kind == "prune")
    facts = json.loads((run_dir / "config.json").read_text())
    change(facts)
    (run_dir / "config.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=message):
        stage_of(run_dir)


def test_a_copy_elsewhere_is_refused(run_dirs):
    run_dir = next(run_dir for stage, run_dir in run_dirs.items() if stage.kind == "prune")
    with pytest.raises(ValueError, match="a renamed copy of"):
        stage_of(run_dir.rename(run_dir.with_name("mine")))


def test_every_stage_of_the_pipeline_has_its_kind():
    modules = [
        importlib.import_module(f"{stages.__name__}.{found.name}") for found in pkgutil.iter_modules(stages.__path__)
    ]
    own = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Stage) and value.__module__ == module.__name__
    }
    assert own == set(KINDS.values())
