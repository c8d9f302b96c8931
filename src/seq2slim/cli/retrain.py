"""`retrain`: a model trained on, under the masks it was pruned with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from seq2slim.cli.options import parse, typed
from seq2slim.cli.runs import check_link, find_model_run, runner_beside, tell
from seq2slim.inference.model_files import load_config
from seq2slim.recipes import RECIPES, closest_recipe
from seq2slim.stages.rebuild import stage_of
from seq2slim.stages.train import Retrain
from seq2slim.training.config import TrainingConfig

DESCRIPTION = """Trains a model on, on the text it was trained on, and prints, on its last line, the folder it is in.

    python -m seq2slim retrain --run runs/prune-...
    python -m seq2slim retrain --run runs/prune-... --training.epochs 2

Pruned weights stay at zero. The options of training are, where not given, those of the retraining of the recipe
whose model is most like this one; with --run, --help-all shows them. A dense model is trained on as it is: the control
of a pruned one."""


@dataclass(frozen=True)
class Options:
    """What is retrained.

    Attributes:
      run: folder of a pruned (or of a dense) model.
      seed: of batches and dropout; by default that of the training and 1 more, not to repeat its batches.
      link: make a link of this name to the new folder.
      training: how.
    """

    run: Path
    seed: int | None = None
    link: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    training: TrainingConfig = field(default=RECIPES["quick"].retraining)


def run(arguments: Sequence[str]):
    """Runs the stage Retrain on the stage that `--run` holds."""
    (options,) = parse("retrain", DESCRIPTION, arguments, _start(arguments))
    check_link(options.link)
    run_dir = find_model_run(options.run)
    stage = stage_of(run_dir)
    seed = stage.seed + 1 if options.seed is None else options.seed
    runner = runner_beside(run_dir)
    (retrained,) = runner.run(Retrain(stage, options.training, seed))
    tell(runner, retrained, options.link)


def _start(arguments: Sequence[str]) -> Options:
    """The defaults: those that go with the model that was typed."""
    if (named := typed(arguments, "--run")) is None:
        return Options(tyro.MISSING)
    run_dir = find_model_run(Path(named))
    return Options(tyro.MISSING, training=closest_recipe(load_config(run_dir)).retraining)
