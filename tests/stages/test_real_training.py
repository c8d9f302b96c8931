"""The drill on the real thing: training, pruning and retraining killed at random moments end bit for bit the same."""

import random
import shutil
import signal
import subprocess

import pytest

from seq2slim import pruning
from seq2slim.inference.model_files import MODEL
from seq2slim.runs.runner import Runner
from seq2slim.training.checkpoints import Checkpoints
from tests.support.drill import arrays, assert_same_bits, moment, run_and_signal
from tests.support.real_training import BASELINE, GRADUAL, RETRAINED, command, finished_run_dirs


def kill(runs, environment, run_dir, saving, delay, attempts=4):
    """One kill -9 of the run while it works in `run_dir`; should that be finished first, again."""
    for _ in range(attempts):
        code, output = run_and_signal(command(runs), moment(run_dir, saving), delay, env=environment)
        assert code in (0, -signal.SIGKILL), output
        if not (run_dir / "done.json").exists():
            assert code == -signal.SIGKILL
            return
        shutil.rmtree(run_dir)
        delay /= 4
    raise AssertionError(f"{run_dir.name} was finished before each of {attempts} kills")


def kill_and_compare(runs, environment, uninterrupted, kills, rng):
    for stage, saving in kills:
        kill(runs, environment, Runner(runs).run_dir(stage), saving, rng.uniform(0, 0.3))
    for own, expected in zip(finished_run_dirs(runs, environment), uninterrupted):
        for folder in ("saves", MODEL):
            assert_same_bits(arrays(own, folder), arrays(expected, folder))


def test_a_killed_run_ends_with_the_same_parameters(tmp_path, environment, uninterrupted):
    kill_and_compare(tmp_path, environment, uninterrupted, [(BASELINE, True), (RETRAINED, False)], random.Random(0))


def test_killed_while_the_masks_change_it_ends_with_the_same_masks(tmp_path, environment):
    own, whole = (Runner(tmp_path / name).run_dir(GRADUAL) for name in ("own", "whole"))
    saves = Checkpoints(own / "saves")
    for _ in range(3):
        before = saves.latest() or 0
        code, output = run_and_signal(
            command(tmp_path / "own", "--gradual"),
            lambda before=before: (saves.latest() or 0) > before,
            delay=0.05,
            env=environment,
        )
        assert code == -signal.SIGKILL, output
    assert 0 < pruning.count(saves.restore_item("masks")[1]).sparsity < 0.8
    for name in ("own", "whole"):
        done = subprocess.run(
            command(tmp_path / name, "--gradual"), env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for folder in ("saves", MODEL):
        assert_same_bits(arrays(own, folder), arrays(whole, folder))
    assert pruning.count(Checkpoints(own / MODEL).restore_item("masks")[1]).sparsity == pytest.approx(0.8, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(10))
def test_kill_9_ten_times_out_of_ten(tmp_path, environment, uninterrupted, trial):
    rng = random.Random()
    kills = [(BASELINE, rng.random() < 0.5), (RETRAINED, rng.random() < 0.5)]
    kill_and_compare(tmp_path, environment, uninterrupted, kills, rng)
