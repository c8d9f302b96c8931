"""Fault drills: a failure is reported, loses no checkpoint, and the same command resumes."""

import re
import signal
import subprocess
import sys
from io import StringIO

import numpy as np
import pytest
from rich.console import Console as RichConsole

from seq2slim.data import batching
from seq2slim.inference import text_files
from seq2slim.inference.model_files import MODEL
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.training.checkpoints import CheckpointError, Checkpoints
from seq2slim.training.learning_rates import learning_rate
from seq2slim.training.loop import total_steps
from seq2slim.training.metrics import read_metrics
from tests.support.counting import Count
from tests.support.drill import arrays, assert_same_bits, moment, run_and_signal
from tests.support.full_disk import at_most
from tests.support.real_training import BASELINE, TRAINING, command
from tests.support.toy import Toy


def typed(output: str) -> str:
    """What the last lines of a run tell to type."""
    return re.search(r"To resume: (.*)", output)[1]


def test_nan_then_sigterm_then_two_at_once_end_bit_for_bit_the_same(tmp_path, environment, uninterrupted):
    runs = tmp_path / "two words"
    runner = Runner(runs)
    run_dir = runner.run_dir(BASELINE)

    # A NaN among the weights in the first half of the run, between two saves.
    rows = read_metrics(uninterrupted[0] / "metrics.jsonl")
    validated = [row["step"] for row in rows if "valid_loss" in row][:4]
    bad = validated[-1] + 2
    done = subprocess.run(
        command(runs, "--baseline", "--poison", str(bad)), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    corpus = text_files.tokenised(runner.run_dir(BASELINE.text))
    batches = batching.BatchConfig(TRAINING.batch_size, BASELINE.reverse_source, TRAINING.shapes)
    steps_per_epoch = batching.steps_per_epoch(len(corpus["train"]), batches)
    total = total_steps(TRAINING, steps_per_epoch)
    rate = learning_rate(TRAINING.schedule, TRAINING.optimizer.learning_rate, steps_per_epoch, total)
    ids = next(iter(batching.train_batches(corpus["train"], batches, BASELINE.seed, bad - 1))).ids
    (line,) = (line for line in done.stderr.splitlines() if "NonFiniteLoss: " in line)
    assert f"step {bad}: loss nan, gradient norm nan, learning rate {float(rate(bad - 1)):g}. " in line
    assert line.endswith("training lines " + ", ".join(str(i + 1) for i in ids if i >= 0))
    assert "failed; what it has saved is kept. To resume: " in done.stdout
    assert Checkpoints(run_dir / "saves").steps()[-2:] == validated[-2:]
    assert all(np.isfinite(array).all() for array in arrays(run_dir).values())

    # Without it the run goes on from there; SIGTERM.
    code, output = run_and_signal(
        command(runs, "--baseline"), moment(run_dir, saving=True), 0.05, signal.SIGTERM, env=environment
    )
    assert code == 143, output
    assert f"resuming from step {validated[-1]} of" in output
    saved = Checkpoints(run_dir / "saves").latest()
    assert saved > validated[-1]
    assert f"step {saved} of" in output

    # What it said to type, typed twice at once into shells that know nothing of its environment.
    bare = {name: value for name, value in environment.items() if name != "SEQ2SLIM_RUNS"}
    shells = [
        subprocess.Popen(
            typed(output), shell=True, env=bare, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(2)
    ]
    outputs = [shell.communicate(timeout=300)[0] for shell in shells]
    assert [shell.returncode for shell in shells] == [0, 0], outputs
    assert sum(f"resuming from step {saved} of" in text for text in outputs) == 1
    for folder in ("saves", MODEL):
        assert_same_bits(arrays(run_dir, folder), arrays(uninterrupted[0], folder))
    assert Runner(runs).is_finished(BASELINE)


class Filling(Console):
    """On a disk that is full from step 8 on."""

    def __init__(self):
        super().__init__(RichConsole(file=StringIO(), width=100))
        self.full = at_most(2000)  # more than the lines so far, less than a manifest

    def progress(self, title, step, total, **values):
        if step == 8:
            self.full.__enter__()

    def text(self):
        return self.rich.file.getvalue()


def test_a_disk_that_fills_up_stops_the_run_which_goes_on_when_there_is_room(tmp_path):
    stage, console = Toy(steps=12), Filling()
    runner = Runner(tmp_path / "full", console)
    try:
        with pytest.raises(CheckpointError, match=r"step 9 not saved in .*; checkpoints kept: \[3, 6\]"):
            runner.run(stage)
    finally:
        console.full.__exit__(None, None, None)
    assert "failed; what it has saved is kept. To resume: " in console.text()
    console = Console(RichConsole(file=StringIO(), width=100))
    (run_dir,) = Runner(tmp_path / "full", console).run(stage)
    (expected,) = Runner(tmp_path / "room", console).run(stage)
    assert_same_bits(arrays(run_dir), arrays(expected))
    assert read_metrics(run_dir / "metrics.jsonl") == read_metrics(expected / "metrics.jsonl")
    assert {path.name for path in run_dir.iterdir()} == {path.name for path in expected.iterdir()}


# Starts a command for which permission bits count, even if root types it: without CAP_DAC_OVERRIDE (1) and
# CAP_DAC_READ_SEARCH (2), which PR_CAPBSET_DROP (24) takes away with the next exec.
HEED_PERMISSIONS = """
import ctypes, os, sys
for capability in (1, 2):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


READ_ONLY = """
import sys
from pathlib import Path
from seq2slim.runs.runner import Runner
from tests.support.counting import Count
runner = Runner(Path(sys.argv[1]))
done, begun = Count("done"), Count("begun", (Count("parent"),))
(runner.run_dir(begun) / "scratch").chmod(0o555)
for name in ("writable", "read-only"):
    for stage in (done, begun):
        try:
            runner.run(stage)
            print("ran", stage.name)
        except PermissionError as error:
            print(error)
    runner.run_dir(begun).chmod(0o755)
    (runner.run_dir(begun) / "scratch").chmod(0o755)
    Path(sys.argv[1]).chmod(0o555)
"""


def test_a_read_only_folder_is_found_out_before_any_work(tmp_path):
    runs = tmp_path / "runs"
    runner = Runner(runs, Console(RichConsole(file=StringIO())))
    done, begun = Count("done"), Count("begun", (Count("parent"),))
    runner.run(done)
    (runner.run_dir(begun) / "scratch").mkdir(parents=True)
    try:
        process = subprocess.run(
            [sys.executable, "-c", HEED_PERMISSIONS, sys.executable, "-c", READ_ONLY, str(runs)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        runs.chmod(0o755)
    assert process.stdout.splitlines() == [
        "ran done",  # what is finished needs no writing
        f"cannot write to {runner.run_dir(begun)}/scratch: make it writable, or set SEQ2SLIM_RUNS to another folder",
        "ran done",
        f"cannot write to {runs}: make it writable, or set SEQ2SLIM_RUNS to another folder",
    ], process.stderr
    assert (runs / "log").read_text().split() == ["done"]
    Runner(runs, runner.console).run(begun)
    assert (runs / "log").read_text().split() == ["done", "parent", "begun"]
