"""`python -m tests.support.real_training RUNS` trains the tiny model on the reverse toy, prunes it and retrains it.

--baseline stops after the training; --gradual trains a model that is pruned on the way instead; --poison STEP puts a
NaN among the weights just before that step of the training.
"""

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.models import ModelOptions
from seq2slim.runs.runner import Runner
from seq2slim.stages.prune import Prune
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.training import step as step_module
from seq2slim.training.config import PruningConfig, TrainingConfig

# Dropout, a moving average and momentum: all state that a checkpoint could lack.
TRAINING = TrainingConfig(epochs=1, shapes=1, average_decay=0.99, evaluations_per_epoch=8)
BASELINE = Train(
    Text(CorpusConfig("reverse"), VocabularyConfig("words", 20)),
    ModelOptions("tiny", units=16, dropout=0.2),
    TRAINING,
)
RETRAINED = Retrain(Prune(BASELINE), TRAINING)
GRADUAL = replace(
    BASELINE,
    training=replace(TRAINING, dropout_by_density=True, pruning=PruningConfig("gradual", start=0.1, stop=0.9, every=3)),
)


def poisoned(make_train_step, at: int):
    """`make_train_step`, with a NaN among the weights just before step `at`."""

    def make(*arguments):
        step = make_train_step(*arguments)

        def run(state, batch, *others):
            if int(state.step) == at - 1:
                state = state._replace(params=jax.tree.map(lambda w: w.at[(0,) * w.ndim].set(jnp.nan), state.params))
            return step(state, batch, *others)

        return run

    return make


def command(runs: Path, *options: str) -> list[str]:
    """The command line of this program."""
    return [sys.executable, "-m", "tests.support.real_training", str(runs), *options]


def finished_run_dirs(runs: Path, environment: dict[str, str]) -> tuple[Path, Path]:
    """Runs it to its end. Returns: the run directories of the trained and of the retrained model."""
    done = subprocess.run(command(runs), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    runner = Runner(runs)
    return runner.run_dir(BASELINE), runner.run_dir(RETRAINED)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path)
    parser.add_argument("--baseline", action="store_true")
    parser.add_argument("--gradual", action="store_true")
    parser.add_argument("--poison", type=int)
    chosen = parser.parse_args()
    if chosen.poison:
        step_module.make_train_step = poisoned(step_module.make_train_step, chosen.poison)
    Runner(chosen.runs).run(GRADUAL if chosen.gradual else BASELINE if chosen.baseline else RETRAINED)
