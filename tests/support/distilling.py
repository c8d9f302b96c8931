"""A text of a few letters, and a hardly trained tiny model of it: what the tests of distillation stand on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import ModelOptions
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.stages.text import Text
from seq2slim.stages.train import Train
from seq2slim.training.config import TrainingConfig

SEARCH = SearchConfig(beam=3, batch_size=4)
TRAINING = TrainingConfig(max_steps=2, batch_size=16, shapes=1, keep="last")


class Distilling(NamedTuple):
    """A runner that has run `teacher` and its `text`."""

    runner: Runner
    text: Text
    teacher: Train


def trained_teacher(runs: Path, folder: Path) -> Distilling:
    """Runs in `runs`; text files in `folder`."""
    text, runner = written_text(folder), Runner(runs, Console())
    teacher = Train(text, ModelOptions("tiny", units=6, init_scale=1.0), TRAINING)
    runner.run(teacher)
    return Distilling(runner, text, teacher)


def written_text(folder: Path) -> Text:
    """23 training pairs of up to 4 words, so all of one padded width; two of them have an empty side."""
    rng = np.random.default_rng(0)
    for split, size in (("train", 23), ("valid", 4), ("test", 4)):
        sources = [" ".join(rng.choice(list("abcd"), rng.integers(2, 5))) for _ in range(size)]
        targets = [source[::-1] for source in sources]
        if split == "train":
            sources[3], targets[8] = "", ""
        (folder / f"{split}.source").write_text("".join(f"{line}\n" for line in sources))
        (folder / f"{split}.target").write_text("".join(f"{line}\n" for line in targets))
    pairs = ((str(folder / f"{s}.source"), str(folder / f"{s}.target")) for s in ("train", "valid", "test"))
    return Text(CorpusConfig("text", *pairs), VocabularyConfig("words", 20))
