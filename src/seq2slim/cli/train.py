"""`train`: trains a model on parallel text."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from seq2slim.cli.compiled import XLA_CACHE, keep_compiled
from seq2slim.cli.options import parse
from seq2slim.cli.runs import check_link, finish
from seq2slim.data.corpora import SPLITS, CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.models import ModelOptions
from seq2slim.recipes import RECIPES, RecipeName, typed_recipe
from seq2slim.runs.runner import Runner
from seq2slim.stages.text import Text
from seq2slim.stages.train import Train
from seq2slim.tasks import DEFAULT, TaskName
from seq2slim.training.config import TrainingConfig

DESCRIPTION = """Trains a model. The last line printed is its run directory.

    python -m seq2slim train --recipe small --corpus.name bible-en-de
    python -m seq2slim train --corpus.name text \\
        --corpus.train train.en train.de --corpus.valid valid.en valid.de \\
        --corpus.test test.en test.de --link my-model

The run directory is in $SEQ2SLIM_RUNS (default runs/), and its name depends on every option that affects the result:
the same command finds the finished model, or resumes an interrupted training."""


@dataclass(frozen=True)
class Options:
    """What is trained.

    Attributes:
      recipe: defaults of all options below; each can be changed.
      corpus: parallel text.
      seed: of initialisation, batches and dropout.
      link: make a link of this name to the run directory.
      model: the architecture.
      vocabulary: how text becomes tokens.
      training: epochs, rates and everything else about training.
      max_length: longer training pairs (tokens on either side) are dropped.
      reverse_source: whether the encoder reads the source backwards.
      task: what is learnt from the corpus.
    """

    recipe: RecipeName = "quick"
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    seed: int = 1
    link: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    max_length: int = RECIPES["quick"].max_length
    reverse_source: bool = RECIPES["quick"].reverse_source
    model: ModelOptions = RECIPES["quick"].model
    vocabulary: VocabularyConfig = RECIPES["quick"].vocabulary
    training: TrainingConfig = RECIPES["quick"].training
    task: TaskName = DEFAULT


def run(arguments: Sequence[str]):
    """Runs the stages Text and Train."""
    (options,) = parse("train", DESCRIPTION, arguments, _start(arguments))
    check_link(options.link)
    runner = Runner()
    keep_compiled((runner.runs / XLA_CACHE).absolute())
    text = Text(_absolute(options.corpus), options.vocabulary, options.max_length, task=options.task)
    (run_dir,) = runner.run(Train(text, options.model, options.training, options.reverse_source, options.seed))
    finish(runner, run_dir, options.link)


def _start(arguments: Sequence[str]) -> Options:
    """The default options for the recipe of --recipe."""
    named = typed_recipe(arguments, RECIPES)
    if not named:
        return Options()
    own = {option: getattr(named["settings"], option) for option in _OF_THE_RECIPE}
    return Options(recipe=named["recipe"], **own)


_OF_THE_RECIPE = ("model", "vocabulary", "training", "max_length", "reverse_source")


def _absolute(corpus: CorpusConfig) -> CorpusConfig:
    """The corpus with absolute paths, which stay right when the record is read from another folder."""
    pairs = {split: pair for split in SPLITS if (pair := getattr(corpus, split)) is not None}
    return replace(corpus, **{split: tuple(map(_absolute_path, pair)) for split, pair in pairs.items()})


def _absolute_path(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
