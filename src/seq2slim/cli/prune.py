"""`prune`: a model with its smallest weights at zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from seq2slim.cli.options import parse
from seq2slim.cli.runs import check_link, find_model_run, runner_beside, tell
from seq2slim.stages.prune import Prune
from seq2slim.stages.rebuild import stage_of

DESCRIPTION = """Prunes a model once by magnitude (See et al. 2016) and prints, on its last line, the folder it is in.

    python -m seq2slim prune --run runs/train-... --sparsity 0.8

The pruned model stands beside the one it was made from, which is kept. `retrain` brings its quality back."""


@dataclass(frozen=True)
class Options:
    """What is pruned.

    Attributes:
      run: folder of a trained or retrained model.
      scheme: one threshold for all weights, the same fraction of each class, or thresholds by each class' spread.
      sparsity: fraction of the weights that go, in [0, 1].
      link: make a link of this name to the new folder.
    """

    run: Path
    scheme: Literal["class_blind", "class_uniform", "class_distribution"] = "class_blind"
    sparsity: float = 0.8
    link: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None


def run(arguments: Sequence[str]):
    """Runs the stage Prune on the stage that `--run` holds."""
    (options,) = parse("prune", DESCRIPTION, arguments, Options)
    check_link(options.link)
    run_dir = find_model_run(options.run)
    runner = runner_beside(run_dir)
    (pruned,) = runner.run(Prune(stage_of(run_dir), options.scheme, options.sparsity))
    tell(runner, pruned, options.link)
