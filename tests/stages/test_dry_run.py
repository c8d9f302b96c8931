"""A dry run ends with the first loss that is not finite."""

import os
from dataclasses import replace

import pytest
from rich.console import Console as RichConsole

from seq2slim.data.corpora import CorpusConfig
from seq2slim.recipes import RECIPES
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.stages.dry_run import DryRun
from seq2slim.stages.text import Text
from seq2slim.training.config import OptimizerConfig, ScheduleConfig


def recorded():
    """(Console, function that returns what was said so far)."""
    rich = RichConsole(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    return Console(rich), lambda: rich.export_text(clear=False)


def test_a_loss_that_is_not_finite_ends_the_dry_run(tmp_path):
    recipe = RECIPES["tiny"]
    bad = replace(
        recipe.training, optimizer=OptimizerConfig("sgd", 3e38, clip_norm=0.0), schedule=ScheduleConfig("constant")
    )
    text = Text(CorpusConfig("reverse"), recipe.vocabulary, 10)
    console, _ = recorded()
    with pytest.raises(ValueError, match=r"^training: step 3 ended in a loss of nan"):
        Runner(tmp_path, console).run(DryRun(text, recipe.model, 20, bad, recipe.retraining, steps=3))
