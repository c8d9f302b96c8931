"""Identities of the real stages: what each one's numbers stand on, and nothing else."""

from dataclasses import replace

import pytest

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import PRESETS, ModelOptions, Seq2SeqConfig
from seq2slim.runs.stage import differing, identity, parents
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.prune import Prune
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.training.config import OptimizerConfig, TrainingConfig


def written(folder, last="c d"):
    """A corpus of a user's own files, the same but for the last word pair."""
    folder.mkdir()
    for split in ("train", "valid", "test"):
        for side in ("en", "de"):
            (folder / f"{split}.{side}").write_text(f"a b\n{last}\n")
    return CorpusConfig(
        "text", *((str(folder / f"{s}.en"), str(folder / f"{s}.de")) for s in ("train", "valid", "test"))
    )


@pytest.fixture
def text(tmp_path):
    return Text(written(tmp_path / "one"), VocabularyConfig("words", 20))


def chain(text, **changes):
    """Stage name -> identity, with `changes` as "stage.option"."""

    def made(kind, *arguments, **options):
        own = {
            name.split(".")[1]: value for name, value in changes.items() if name.split(".")[0] == kind.__name__.lower()
        }
        return kind(*arguments, **(options | own))

    train = made(Train, text, model=ModelOptions("tiny"))
    prune = made(Prune, train)
    retrain = made(Retrain, prune)
    baseline, system = made(Evaluate, train), made(Evaluate, retrain)
    stages = {
        "text": text, "train": train, "prune": prune, "retrain": retrain, "baseline": baseline, "system": system,
        "compare": made(Compare, baseline, system),
    }  # fmt: skip
    return {name: identity(stage) for name, stage in stages.items()}


EVERYTHING = {"text", "train", "prune", "retrain", "baseline", "system", "compare"}
EVALUATIONS = {"baseline", "system", "compare"}


def changed(one, other):
    return {name for name in one if one[name] != other[name]}


def test_another_path_or_name_of_the_same_content_changes_nothing(text, tmp_path):
    elsewhere = replace(text, corpus=written(tmp_path / "two"))
    assert elsewhere.corpus != text.corpus
    assert changed(chain(text), chain(elsewhere)) == set()


def test_another_content_changes_everything(text, tmp_path):
    assert changed(chain(text), chain(replace(text, corpus=written(tmp_path / "two", "c e")))) == EVERYTHING


@pytest.mark.parametrize(
    "preset",
    [
        lambda source, target, **changes: Seq2SeqConfig(source, target, **(dict(layers=1, units=50) | changes)),
        lambda source, target, **changes: PRESETS["small"](source, target, **changes),
    ],
)
def test_a_preset_that_stands_for_something_else_changes_all_that_it_trains(text, monkeypatch, preset):
    before = chain(text)
    monkeypatch.setitem(PRESETS, "tiny", preset)
    assert changed(before, chain(text)) == EVERYTHING - {"text"}


def test_a_preset_that_another_model_uses_changes_nothing(text, monkeypatch):
    before = chain(text)
    monkeypatch.setitem(PRESETS, "base", PRESETS["small"])
    assert changed(before, chain(text)) == set()


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("evaluate.search", SearchConfig(beam=3), EVALUATIONS),
        ("evaluate.split", "valid", EVALUATIONS),
        ("evaluate.tokenize", "none", EVALUATIONS),
        ("compare.samples", 10, {"compare"}),
        ("prune.sparsity", 0.9, {"prune", "retrain", "system", "compare"}),
        ("prune.scheme", "class_uniform", {"prune", "retrain", "system", "compare"}),
        ("prune.only", "softmax", {"prune", "retrain", "system", "compare"}),
        ("prune.shuffled", True, {"prune", "retrain", "system", "compare"}),
        ("retrain.seed", 2, {"retrain", "system", "compare"}),
        ("retrain.training", TrainingConfig(epochs=3), {"retrain", "system", "compare"}),
        ("train.seed", 2, EVERYTHING - {"text"}),
        ("train.reverse_source", False, EVERYTHING - {"text"}),
        ("train.model", ModelOptions("tiny", dropout=0.1), EVERYTHING - {"text"}),
        ("train.training", TrainingConfig(optimizer=OptimizerConfig("sgd")), EVERYTHING - {"text"}),
    ],
)
def test_an_option_changes_its_stage_and_what_stands_on_it(text, option, value, expected):
    assert changed(chain(text), chain(text, **{option: value})) == expected


def test_training_under_masks_is_another_stage_and_without_them_the_same_as_before_there_were_any(text):
    dense = Train(text, ModelOptions("tiny"))
    assert parents(dense) == (text,)
    assert "masks" not in differing(dense)
    sparse = [replace(dense, masks=Prune(dense, sparsity=x)) for x in (0.8, 0.9)]
    assert len({identity(stage) for stage in (dense, *sparse)}) == 3


def test_how_text_becomes_tokens_changes_everything(text):
    before = chain(text)
    assert changed(before, chain(replace(text, max_length=20))) == EVERYTHING
    assert changed(before, chain(replace(text, vocabulary=VocabularyConfig("words", 30)))) == EVERYTHING


def test_an_unknown_tokenizer_is_refused_before_there_is_a_model_to_evaluate(text):
    with pytest.raises(ValueError, match="tokenize must be one of"):
        Evaluate(Train(text), tokenize="13b")
