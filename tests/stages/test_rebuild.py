"""A stage comes back from its folder as it was: same type, same options, same identity, with all its ancestors."""

import dataclasses
import importlib
import json
import pkgutil

import pytest

from seq2slim import stages
from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import ModelOptions
from seq2slim.runs.records import lineage, text_dir
from seq2slim.runs.stage import Stage, config_of, identity, run_name
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.prune import Prune
from seq2slim.stages.rebuild import KINDS, stage_of
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig


@pytest.fixture
def corpus(tmp_path):
    pairs = {}
    for split in ("train", "valid", "test"):
        pairs[split] = tuple(str(tmp_path / f"{split}.{side}") for side in "ab")
        for path in pairs[split]:
            with open(path, "w") as file:
                file.write(f"words of {split}\n")
    return CorpusConfig("text", **pairs)


def graph(corpus) -> list[Stage]:
    text = Text(corpus, VocabularyConfig("bpe", 77, joint=True), 31)
    training = TrainingConfig(
        epochs=0.5, optimizer=OptimizerConfig("sgd", 1.0), schedule=ScheduleConfig("halving", halve_every=0.5)
    )
    train = Train(text, ModelOptions("tiny", units=6, bidirectional=True, dropout=0.25), training, False, 3)
    prune = Prune(train, "class_uniform", 0.25)
    retrain = Retrain(prune, seed=9)
    search = SearchConfig(beam=3, length_penalty=LengthPenalty("power", 0.5))
    evaluated = [Evaluate(model, "valid", search, "none") for model in (train, retrain)]
    return [text, train, prune, retrain, *evaluated, Compare(*evaluated, samples=7)]


def record(stage: Stage, runs):
    """As the runner does."""
    run_dir = runs / run_name(stage)
    run_dir.mkdir()
    facts = {"kind": stage.kind, "version": stage.version, "identity": identity(stage), "options": config_of(stage)}
    (run_dir / "config.json").write_text(json.dumps(facts | {"content": stage.content_hash()}))
    return run_dir


@pytest.fixture
def run_dirs(corpus, tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    return {stage: record(stage, runs) for stage in graph(corpus)}


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


def test_the_text_may_be_gone(run_dirs, corpus, tmp_path):
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
    ("change", "told"),
    [
        (lambda record: record["options"].update(units=3), "no option 'units'"),
        (lambda record: record["options"].update(sparsity=0.5), "made by another version"),
        (lambda record: record.update(kind="prnue"), "of kind 'prnue'"),
        (lambda record: record.pop("options"), "damaged"),
    ],
)
def test_what_this_version_cannot_rebuild_is_refused(run_dirs, change, told):
    run_dir = next(run_dir for stage, run_dir in run_dirs.items() if stage.kind == "prune")
    facts = json.loads((run_dir / "config.json").read_text())
    change(facts)
    (run_dir / "config.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=told):
        stage_of(run_dir)


def test_a_copy_elsewhere_is_refused(run_dirs):
    run_dir = next(run_dir for stage, run_dir in run_dirs.items() if stage.kind == "prune")
    with pytest.raises(ValueError, match="a copy under another name"):
        stage_of(run_dir.rename(run_dir.with_name("mine")))


def test_lineage_leads_to_the_text_and_ends_where_a_parent_is_missing(run_dirs):
    by_kind = {stage.kind: run_dir for stage, run_dir in run_dirs.items()}
    chain = [by_kind[kind] for kind in ("retrain", "prune", "train", "text")]
    assert [run_dir for run_dir, _ in lineage(chain[0])] == chain
    assert [record["kind"] for _, record in lineage(chain[0])] == ["retrain", "prune", "train", "text"]
    by_kind["train"].rename(by_kind["train"].with_name("away"))
    assert [run_dir for run_dir, _ in lineage(chain[0])] == chain[:2]


def test_the_text_a_model_learnt_from_last_is_found(run_dirs, tmp_path):
    by_kind = {stage.kind: stage for stage in run_dirs}
    own, text = by_kind["retrain"], run_dirs[by_kind["text"]]
    assert text_dir(run_dirs[own]) == text
    other = Text(by_kind["text"].corpus, VocabularyConfig("words", 5))
    record(other, tmp_path / "runs")
    tuned = Retrain(own, on=other, seed=3)
    record(tuned, tmp_path / "runs")
    further = Prune(tuned, "class_blind", 0.9)
    assert text_dir(record(further, tmp_path / "runs")).name == run_name(other)
    (tmp_path / "runs" / run_name(other)).rename(tmp_path / "away")
    assert text_dir(tmp_path / "runs" / run_name(further)) is None


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
