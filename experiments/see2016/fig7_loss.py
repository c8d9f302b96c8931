"""Pruning makes the loss jump, and retraining takes it below the baseline's best (See, Luong & Manning 2016, fig. 7).

    make experiment EXP=fig7_loss ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: the trainings of baseline, control and the model pruned 80% class-blind, each with its validation losses.
Settings (--recipe small): LSTM 2 x 256, dot attention, dropout 0.2; vocabulary unigram 8,000 | 4,000, sentences up to
50 tokens, source reversed; training adam 0.006 (cosine) x 8 epochs of batch 64, label smoothing 0.1; retraining adam
0.008 (cosine) x 6 epochs of batch 64, dropout by density, label smoothing 0.1.
Cost: nothing once fig6_retraining has run.
Expected: a jump at the vertical line, then a fall to near the dotted line of the baseline's best; the question is
whether it falls below that line, and below the control.
"""

from experiments import report
from experiments.see2016.run import run
from experiments.see2016.study import Config, Entry, Models, percent

SPARSITY = 0.8


def main(config, runner):
    """Runs this experiment, and writes the report of the study from all stored rows."""
    run({"fig7_loss": entries}, config, runner)


def entries(config: Config, seed: int) -> list[Entry]:
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
    """First (after pruning, if any), best and last validation loss of one training, nats per token."""
    values = [loss for _, loss in curve]
    return {"first_loss": values[0], "best_loss": min(values), "last_loss": values[-1]}
