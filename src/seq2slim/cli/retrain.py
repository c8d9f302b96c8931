"""`retrain`: trains a pruned model further, with the pruned weights kept at zero."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from seq2slim.cli.options import parse
from seq2slim.cli.runs import check_link, find_model_run, finish, runner_beside
from seq2slim.inference.model_files import load_config
from seq2slim.recipes import RECIPES, closest_recipe, typed
from seq2slim.stages.rebuild import stage_of
from seq2slim.stages.train import Retrain
from seq2slim.training.config import TrainingConfig

DESCRIPTION = """Trains a model further on its own training text. The last line printed is the new run directory.

    python -m seq2slim retrain --run runs/prune-...
    python -m seq2slim retrain --run runs/prune-... --training.epochs 2

Pruned weights stay at zero. The training options default to the retraining of the recipe whose model is most similar;
--run DIR --help-all shows them. A dense model is trained further in the same way: the control of a pruned one."""


@dataclass(frozen=True)
class Options:
    """What is retrained.

    Attributes:
      run: run directory of a pruned (or a dense) model.
      seed: of batches and dropout; default: the training seed + 1, so that its batches are not repeated.
      link: make a link of this name to the new run directory.
      training: epochs, rates and everything else about training.
    """

    run: Path
    seed: int | None = None
    link: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    training: TrainingConfig = field(default=RECIPES["quick"].retraining)


def run(arguments: Sequence[str]):
    """Runs the stage Retrain on the stage of --run."""
    (options,) = parse("retrain", DESCRIPTION, arguments, _start(arguments))
    check_link(options.link)
    run_dir = find_model_run(options.run)
    stage = stage_of(run_dir)
    seed = stage.seed + 1 if options.seed is None else options.seed
    runner = runner_beside(run_dir)
    (retrained,) = runner.run(Retrain(stage, options.training, seed))
    finish(runner, retrained, options.link)


def _start(arguments: Sequence[str]) -> Options:
    """The default options for the model of --run."""
    if (named := typed(arguments, "--run")) is None:
        return Options(tyro.MISSING)
    run_dir = find_model_run(Path(named))
    return Options(tyro.MISSING, training=closest_recipe(load_config(run_dir)).retraining)
