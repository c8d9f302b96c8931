"""Pruning makes the loss jump, and retraining takes it below the baseline's best (See, Luong & Manning 2016, fig. 7).

    make experiment EXP=fig7_loss ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: the trainings of baseline, control, and model pruned 80% class-blind, each with its curve of validation losses.
Cost: nothing once fig6_retraining is there.
Expected: a jump at the vertical line, then a fall to near the dotted line of the baseline's best; whether below it, and
below the control, is the question.
"""

from dataclasses import dataclass

from experiments import report
from experiments.see2016 import report as study_report
from experiments.see2016 import study
from experiments.see2016.rows import Rows, mean_and_deviation
from experiments.see2016.study import Entry, Models, Section, percent
from seq2slim.plots.loss_curve import loss_through_pruning
from seq2slim.runs import results

TAKES_PUBLISHED_ROWS = True
start = study.start
smoke = study.smoke
SPARSITY = 0.8


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options."""


def main(config, runner):
    """Runs this part of the study, and writes the study's report from all that is there."""
    study_report.run(["fig7_loss"], config, runner)


def entries(config: study.Config, seed: int) -> list[Entry]:
    """The three trainings of one seed."""
    models = Models(config, seed)
    stages = {
        "baseline": (models.baseline, 0.0),
        "control": (models.control, 0.0),
        "retrained": (models.retrained(SPARSITY), SPARSITY),
    }

    def entry(name, stage, x):
        def curve(runner):
            return report.validation_curve(runner, stage)

        return Entry(
            stage,
            {"part": "main", "model": name, "percent": percent(x)},
            lambda runner: {"seconds": report.seconds(runner, stage), **losses(curve(runner))},
            lambda runner: {"validation_loss": curve(runner)},
        )

    return [entry(name, *found) for name, found in stages.items()]


def losses(curve: list) -> dict[str, float]:
    """Validation losses of one training, nats per token: at its start (pruned, if it is), at its best, at its end."""
    values = [loss for _, loss in curve]
    return {"first_loss": values[0], "best_loss": min(values), "last_loss": values[-1]}


def section(rows: Rows, series: dict, path) -> Section:
    """The curve of the first seed, and the losses of all."""
    seed = rows.rows[0]["seed"]
    curves = {
        row["model"]: [tuple(point) for point in series[row["identity"]]["validation_loss"]]
        for row in rows.of(seed=seed).rows
    }
    figures = loss_through_pruning(curves["baseline"], curves["retrained"], curves["control"], SPARSITY, path)
    names = ("first_loss", "best_loss", "last_loss")
    lines = [
        {"model": model} | {name: mean_and_deviation(rows.spread(name, model=model), 3) for name in names}
        for model in ("baseline", "control", "retrained")
    ]
    text = f"Validation loss, nats per token; the figure is of seed {seed}.\n\n"
    return Section(text + results.table(lines, ["model", *names]), figures)
