"""A runner with a teacher, its translations, and a model to prune."""

import pytest

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.models import ModelOptions
from seq2slim.stages.decode import Decode
from seq2slim.stages.relabel import RelabelledText, Select
from seq2slim.stages.text import Text
from seq2slim.stages.train import Train
from seq2slim.training.config import TrainingConfig
from tests.support.distilling import SEARCH
from tests.support.pruning_chain import SEED


@pytest.fixture(scope="session")
def runner(distilling):
    """Shared by all tests of stages: they read what it has run, and add to it."""
    return distilling.runner


@pytest.fixture(scope="session")
def text(distilling):
    return distilling.text


@pytest.fixture(scope="session")
def teacher(distilling):
    return distilling.teacher


@pytest.fixture(scope="session")
def decoded(text, teacher, runner):
    stage = Decode(text, (teacher,), SEARCH)
    runner.run(stage)
    return stage


@pytest.fixture(scope="session")
def relabelled(runner, decoded):
    """(Seq-KD, Seq-Inter) as texts."""
    stages = RelabelledText(decoded), RelabelledText(Select(decoded, tokenize="none"))
    runner.run(stages)
    return stages


@pytest.fixture(scope="session")
def baseline(runner, tmp_path_factory):
    """Trained for two steps on sentences of one length: c is frequent, z comes once."""
    folder = tmp_path_factory.mktemp("corpus")
    lines = {"train": ["a c c", "b c c", "c c a", "c b c"] * 8 + ["z c a"], "valid": ["a b c"] * 4, "test": ["b"] * 2}
    for split, own in lines.items():
        for side in ("source", "target"):
            (folder / f"{split}.{side}").write_text("".join(f"{line}\n" for line in own))
    pairs = ((str(folder / f"{split}.source"), str(folder / f"{split}.target")) for split in lines)
    text = Text(CorpusConfig("text", *pairs), VocabularyConfig("words", 20))
    training = TrainingConfig(max_steps=2, batch_size=16, shapes=1, keep="last")
    stage = Train(text, ModelOptions("tiny", units=6), training, seed=SEED)
    runner.run(stage)
    return stage
