"""kill -9 and SIGTERM while stepping and while saving: the same command ends bit for bit as if never interrupted."""

import random
import signal
import sys

import pytest

from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.training.metrics import read_metrics
from tests.support.drill import arrays, assert_same_bits, moment, run_and_signal
from tests.support.toy import Toy

STAGE = Toy(pause=0.01)


def command(runs):
    return [sys.executable, "-m", "tests.support.toy", str(runs), "--pause", str(STAGE.pause)]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    runner = Runner(tmp_path_factory.mktemp("uninterrupted"), Console())
    (run_dir,) = runner.run(STAGE)
    return runner, run_dir


def finish(runs, uninterrupted):
    """Runs to the end, in this process, and compares everything with the uninterrupted run."""
    runner, run_dir = Runner(runs, Console()), uninterrupted[1]
    (own,) = runner.run(STAGE)
    assert_same_bits(arrays(own), arrays(run_dir))
    assert read_metrics(own / "metrics.jsonl") == read_metrics(run_dir / "metrics.jsonl")
    assert runner.result(STAGE) == uninterrupted[0].result(STAGE)
    assert runner.done(STAGE)["resumed"]
    assert not [path.name for path in (own / "saves").iterdir() if not path.name.startswith("step_")]


def kill_and_finish(runs, uninterrupted, rng, kills):
    run_dir = Runner(runs).run_dir(STAGE)
    for saving in kills:
        delay = rng.uniform(0, 0.25 if saving else 0.7)
        code, output = run_and_signal(command(runs), moment(run_dir, saving), delay)
        assert code == -signal.SIGKILL, output
    finish(runs, uninterrupted)


def test_kill_9_while_saving_and_while_stepping(tmp_path, uninterrupted):
    kill_and_finish(tmp_path, uninterrupted, random.Random(0), [True, False])


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(10))
def test_kill_9_ten_times_out_of_ten(tmp_path, uninterrupted, trial):
    rng = random.Random()
    kill_and_finish(tmp_path, uninterrupted, rng, [rng.random() < 0.6 for _ in range(rng.randint(1, 3))])


def test_sigterm_saves_and_says_how_to_go_on(tmp_path, uninterrupted):
    when = moment(Runner(tmp_path).run_dir(STAGE), saving=False)
    code, output = run_and_signal(command(tmp_path), when, 0.1, signal.SIGTERM)
    assert code == 143, output
    last = output.splitlines()[-1]
    assert last.startswith("stopped by SIGTERM: saved at step ")
    assert f"-m tests.support.toy {tmp_path}" in last
    finish(tmp_path, uninterrupted)
