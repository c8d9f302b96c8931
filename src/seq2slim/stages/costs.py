"""Estimated time of stages before they run: their floating-point operations divided by a rate."""

import operator
from collections.abc import Iterable, Mapping

from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import Stage
from seq2slim.stages.dry_run import DryRun, widest_shape
from seq2slim.stages.evaluate import Evaluate
from seq2slim.stages.perplexity import Perplexity
from seq2slim.stages.train import Retrain, Train
from seq2slim.tasks import task_named

# Two cores: training ran at 150e9 to 280e9 operations per second, with padding, validation and checkpoints included.
RATE = 150e9
OVERHEAD = 2.0  # seconds per stage: reading, compiling, saving
SEARCHED = 2.5  # steps of a search per target token of the references: a batch runs until its last sentence ends

Counts = Mapping[str, Mapping[str, int]]  # the result of a Text stage


def operations(stage: Stage, counts: Counts) -> float:
    """Floating-point operations of a stage: 2 per weight and token, 6 in training; embedding lookups cost nothing.

    Args: counts: `pairs`, `source_tokens` and `target_tokens` of each split.
    """
    if isinstance(stage, Train | Retrain):
        epochs, train = stage.training.epochs, counts["train"]
        if stage.training.max_steps:
            epochs = min(epochs, stage.training.max_steps * stage.training.rows / max(train["pairs"], 1))
        return 6 * epochs * _forward(stage, train)
    if isinstance(stage, Evaluate):
        share = min(1.0, stage.train_sample / max(counts["train"]["pairs"], 1))
        read = share * _forward(stage.parent, counts["train"]) + _forward(stage.parent, counts["valid"])
        _, decoder = _weights(stage.parent)
        searched = (1 + stage.search.beam) * SEARCHED * decoder * counts[stage.split]["target_tokens"]
        return 2 * (read + _forward(stage.parent, counts[stage.split]) + searched)
    if isinstance(stage, DryRun):
        rows = stage.training.rows + stage.retraining.rows
        lengths = widest_shape(stage.text.max_length)
        weights = task_named(stage.text.task).weights_per_token(stage.model, stage.words)
        return 6 * stage.steps * rows * sum(map(operator.mul, weights, lengths))
    return 2 * _forward(stage.parent, counts[stage.split]) if isinstance(stage, Perplexity) else 0.0


def estimate(runner: Runner, stages: Iterable[Stage], rate: float) -> float:
    """Seconds that `stages` will take at `rate` operations a second; their Text stages must be finished."""
    return sum(OVERHEAD + operations(stage, _counts(runner, stage)) / rate for stage in stages)


def measured_rate(runner: Runner, stages: Iterable[Stage]) -> float | None:
    """Operations per second of the uninterrupted finished trainings among `stages`; None if there are none."""
    trained = [s for s in stages if isinstance(s, Train | Retrain) and runner.is_finished(s)]
    timed = [(s, runner.done(s)["seconds"]) for s in trained if not runner.done(s)["resumed"]]
    if not timed:
        return None
    return sum(operations(s, _counts(runner, s)) for s, _ in timed) / sum(max(t - OVERHEAD, t / 10) for _, t in timed)


def _counts(runner: Runner, stage: Stage) -> Counts:
    while not hasattr(stage, "text"):
        if not hasattr(stage, "parent"):
            return {}  # such a stage costs nothing by this count
        stage = stage.parent
    return runner.result(stage.text)


def _forward(model: Stage, split: Mapping[str, int]) -> float:
    encoder, decoder = _weights(model)
    return encoder * split["source_tokens"] + decoder * split["target_tokens"]


def _weights(model: Stage) -> tuple[int, int]:
    """Weights that multiply each source token, and each target token."""
    while not isinstance(model, Train):
        model = model.parent
    words = model.text.vocabulary.size  # an upper bound: the text may support fewer
    return task_named(model.text.task).weights_per_token(model.model, words)
