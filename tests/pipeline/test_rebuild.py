"""A stage comes back from its folder as it was: same type, same options, same identity, with all its ancestors."""

import dataclasses
import importlib
import json
import pkgutil

import pytest

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.models import ModelOptions
from seq2slim.pipeline import stages
from seq2slim.pipeline.rebuild import KINDS, stage_of
from seq2slim.pipeline.records import lineage, text_home
from seq2slim.pipeline.search import SearchConfig
from seq2slim.pipeline.stage import Stage, config_of, home_name, identity
from seq2slim.pipeline.stages.evaluate import Compare, Evaluate
from seq2slim.pipeline.stages.prune import Prune
from seq2slim.pipeline.stages.text import Text
from seq2slim.pipeline.stages.train import Retrain, Train
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
    home = runs / home_name(stage)
    home.mkdir()
    facts = {"kind": stage.kind, "version": stage.version, "identity": identity(stage), "options": config_of(stage)}
    (home / "config.json").write_text(json.dumps(facts | {"content": stage.content_hash()}))
    return home


@pytest.fixture
def homes(corpus, tmp_path):
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


def test_every_stage_comes_back(homes):
    for stage, home in homes.items():
        found = stage_of(home)
        assert without_content(found) == stage
        assert identity(found) == identity(stage)


def test_the_text_may_be_gone(homes, corpus, tmp_path):
    for path in tmp_path.glob("t*.?"):
        path.unlink()
    found = [stage_of(home) for home in homes.values()]
    assert [home_name(stage) for stage in found] == [home.name for home in homes.values()]


def test_a_text_that_has_changed_is_refused_when_it_must_be_read_again(homes, tmp_path):
    text = stage_of(next(iter(homes.values())))
    (tmp_path / "train.a").write_text("other words\n")
    with pytest.raises(ValueError, match="has changed since"):
        text.run(tmp_path / "runs" / home_name(text), None)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda record: record["options"].update(units=3), "no option 'units'"),
        (lambda record: record["options"].update(sparsity=0.5), "made by another version"),
        (lambda record: record.update(kind="prnue"), "of kind 'prnue'"),
        (lambda record: record.pop("options"), "damaged"),
    ],
)
def test_what_this_version_cannot_rebuild_is_refused(homes, change, told):
    home = next(home for stage, home in homes.items() if stage.kind == "prune")
    facts = json.loads((home / "config.json").read_text())
    change(facts)
    (home / "config.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=told):
        stage_of(home)


def test_a_copy_elsewhere_is_refused(homes):
    home = next(home for stage, home in homes.items() if stage.kind == "prune")
    with pytest.raises(ValueError, match="a copy under another name"):
        stage_of(home.rename(home.with_name("mine")))


def test_lineage_leads_to_the_text_and_ends_where_a_parent_is_missing(homes):
    by_kind = {stage.kind: home for stage, home in homes.items()}
    chain = [by_kind[kind] for kind in ("retrain", "prune", "train", "text")]
    assert [home for home, _ in lineage(chain[0])] == chain
    assert [record["kind"] for _, record in lineage(chain[0])] == ["retrain", "prune", "train", "text"]
    by_kind["train"].rename(by_kind["train"].with_name("away"))
    assert [home for home, _ in lineage(chain[0])] == chain[:2]


def test_the_text_a_model_learnt_from_last_is_found(homes, tmp_path):
    by_kind = {stage.kind: stage for stage in homes}
    own, text = by_kind["retrain"], homes[by_kind["text"]]
    assert text_home(homes[own]) == text
    other = Text(by_kind["text"].corpus, VocabularyConfig("words", 5))
    record(other, tmp_path / "runs")
    tuned = Retrain(own, on=other, seed=3)
    record(tuned, tmp_path / "runs")
    further = Prune(tuned, "class_blind", 0.9)
    assert text_home(record(further, tmp_path / "runs")).name == home_name(other)
    (tmp_path / "runs" / home_name(other)).rename(tmp_path / "away")
    assert text_home(tmp_path / "runs" / home_name(further)) is None


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
