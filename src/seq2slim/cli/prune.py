"""`prune`: sets the smallest weights of a model to zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from seq2slim import pruning
from seq2slim.cli.options import parse
from seq2slim.cli.runs import check_link, find_model_run, finish, runner_beside
from seq2slim.stages.prune import Prune
from seq2slim.stages.rebuild import stage_of

DESCRIPTION = """Prunes a model once (See et al. 2016). The last line printed is the new run directory.

    python -m seq2slim prune --run runs/train-... --sparsity 0.8

The dense model is kept, in its run directory. `retrain` brings the quality of the pruned one back."""


@dataclass(frozen=True)
class Options:
    """Options of `prune`.

    Attributes:
      run: run directory of a trained or retrained model.
      scheme: one threshold for all weights (class_blind), the same fraction of each class (class_uniform), thresholds
        by the spread of each class (class_distribution), or a draw by the seed of the model, as a control (random).
      sparsity: fraction of the weights that is pruned, in [0, 1].
      link: make a link of this name to the new run directory.
    """

    run: Path
    scheme: pruning.SchemeName = "class_blind"
    sparsity: float = 0.8
    link: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None


def run(arguments: Sequence[str]):
    """Runs the stage Prune on the model of `--run`."""
    (options,) = parse("prune", DESCRIPTION, arguments, Options)
    check_link(options.link)
    run_dir = find_model_run(options.run)
    runner = runner_beside(run_dir)
    (pruned,) = runner.run(Prune(stage_of(run_dir), options.scheme, options.sparsity))
    finish(runner, pruned, options.link)
