"""The drill on the real thing: training, pruning and retraining killed at random moments end bit for bit the same."""

import os
import random
import shutil
import signal
import subprocess
import sys

import pytest

from seq2slim.pipeline.model_files import MODEL
from seq2slim.pipeline.runner import Runner
from tests.pipeline.drill import arrays, assert_same_bits, moment, run_and_signal
from tests.pipeline.real_training import BASELINE, RETRAINED


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Of every run here: one cache of compiled steps and one of the corpus, as on a person's machine."""
    shared = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQ2SLIM_RUNS", str(shared))
        yield {
            **os.environ,
            "JAX_COMPILATION_CACHE_DIR": str(shared / "xla"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }


def command(runs):
    return [sys.executable, "-m", "tests.pipeline.real_training", str(runs)]


def finished_homes(runs, environment):
    done = subprocess.run(command(runs), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    runner = Runner(runs)
    return runner.home(BASELINE), runner.home(RETRAINED)


@pytest.fixture(scope="module")
def uninterrupted(environment, tmp_path_factory):
    return finished_homes(tmp_path_factory.mktemp("uninterrupted"), environment)


def kill(runs, environment, home, saving, delay, attempts=4):
    """One kill -9 of the run while it works in `home`; should that be finished first, it is undone, and once more."""
    for _ in range(attempts):
        code, output = run_and_signal(command(runs), moment(home, saving), delay, env=environment)
        assert code in (0, -signal.SIGKILL), output
        if not (home / "done.json").exists():
            assert code == -signal.SIGKILL
            return
        shutil.rmtree(home)
        delay /= 4
    raise AssertionError(f"{home.name} was finished before each of {attempts} kills")


def kill_and_compare(runs, environment, uninterrupted, kills, rng):
    for stage, saving in kills:
        kill(runs, environment, Runner(runs).home(stage), saving, rng.uniform(0, 0.3))
    for own, expected in zip(finished_homes(runs, environment), uninterrupted):
        for folder in ("saves", MODEL):
            assert_same_bits(arrays(own, folder), arrays(expected, folder))


def test_a_killed_run_ends_with_the_same_parameters(tmp_path, environment, uninterrupted):
    kill_and_compare(tmp_path, environment, uninterrupted, [(BASELINE, True), (RETRAINED, False)], random.Random(0))


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(10))
def test_kill_9_ten_times_out_of_ten(tmp_path, environment, uninterrupted, trial):
    rng = random.Random()
    kills = [(BASELINE, rng.random() < 0.5), (RETRAINED, rng.random() < 0.5)]
    kill_and_compare(tmp_path, environment, uninterrupted, kills, rng)
