"""Fault drills: whatever goes wrong is said in words, costs nothing that was saved, and the same command goes on."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from io import StringIO
from typing import ClassVar

import numpy as np
import pytest
from rich.console import Console as RichConsole

from seq2slim.data import batching
from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.errors import Damaged
from seq2slim.inference import text_files
from seq2slim.inference.model_files import MODEL
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import Stage, identity
from seq2slim.stages.text import Text
from seq2slim.training.checkpoints import CheckpointError, Checkpoints
from seq2slim.training.learning_rates import learning_rate
from seq2slim.training.loop import total_steps
from seq2slim.training.metrics import read_metrics
from tests.support.counting import Count
from tests.support.drill import arrays, assert_same_bits, moment, run_and_signal
from tests.support.full_disk import at_most, content
from tests.support.real_training import BASELINE, TRAINING, command
from tests.support.toy import Toy


def typed(output: str) -> str:
    """What the last lines of a run tell to type."""
    return re.search(r"To go on from there: (.*)", output)[1]


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
    assert "failed; what it saved is kept. To go on from there: " in done.stdout
    assert Checkpoints(run_dir / "saves").steps()[-2:] == validated[-2:]
    assert all(np.isfinite(array).all() for array in arrays(run_dir).values())

    # Without it the run goes on from there; SIGTERM.
    code, output = run_and_signal(
        command(runs, "--baseline"), moment(run_dir, saving=True), 0.05, signal.SIGTERM, env=environment
    )
    assert code == 143, output
    assert f"going on from step {validated[-1]} of" in output
    saved = Checkpoints(run_dir / "saves").latest()
    assert saved > validated[-1]
    assert f"stopped at step {saved} of" in output

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
    assert sum(f"going on from step {saved} of" in text for text in outputs) == 1
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
        with pytest.raises(CheckpointError, match=r"step 9 not saved in .*; saves kept: \[3, 6\]"):
            runner.run(stage)
    finally:
        console.full.__exit__(None, None, None)
    assert "failed; what it saved is kept. To go on from there: " in console.text()
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


def test_an_edited_corpus_is_another_stage_and_the_old_one_stays(tmp_path):
    lines = {"train": "a b\nb c\n", "valid": "c\n", "test": "a\n"}
    for split, text in lines.items():
        for side in ("x", "y"):
            (tmp_path / f"{split}.{side}").write_text(text)
    pairs = ((str(tmp_path / f"{split}.x"), str(tmp_path / f"{split}.y")) for split in lines)
    config = CorpusConfig("text", *pairs)
    console = Console(RichConsole(file=StringIO(), width=100))

    def run():
        """In a notebook, where a cell makes the stage again."""
        stage = Text(config, VocabularyConfig("words", 10))
        runner = Runner(tmp_path / "runs", console)
        (planned,) = runner.plan(stage, show=False)
        (run_dir,) = runner.run(stage)
        return planned.state, run_dir, runner.result(stage)

    state, first, result = run()
    assert (state, result["train"]["source_tokens"]) == ("will run", 4)
    before = content(first)
    assert run()[:2] == ("cached", first)
    (tmp_path / "train.x").write_text("a b\nb c c\n")
    state, second, result = run()
    assert (state, result["train"]["source_tokens"]) == ("will run", 5)
    assert second != first
    assert content(first) == before
    os.utime(tmp_path / "train.x")
    assert run()[:2] == ("cached", second)
    (tmp_path / "train.x").write_text(lines["train"])
    assert run()[:2] == ("cached", first)


def test_a_corpus_edited_in_a_run_is_refused(tmp_path):
    for split in ("train", "valid", "test"):
        for side in ("x", "y"):
            (tmp_path / f"{split}.{side}").write_text("a b\n")
    pairs = ((str(tmp_path / f"{split}.x"), str(tmp_path / f"{split}.y")) for split in ("train", "valid", "test"))
    stage = Text(CorpusConfig("text", *pairs), VocabularyConfig("words", 10))
    runner = Runner(tmp_path / "runs", Console(RichConsole(file=StringIO(), width=100)))
    own = identity(stage)
    (tmp_path / "valid.y").write_text("c d\n")
    with pytest.raises(ValueError, match="has changed since"):
        runner.run(stage)
    assert not runner.is_finished(stage)
    with pytest.raises(ValueError, match="has changed since"):
        stage.lines("valid", 0)
    assert identity(stage) == own  # within a run it is what it was
    again = Text(stage.corpus, stage.vocabulary)
    assert identity(again) != own
    Runner(runner.runs, runner.console).run(again)


@dataclass(frozen=True)
class Tokens(Stage):
    """How many tokens the training sources of a text have."""

    kind: ClassVar[str] = "tokens"
    parent: Text

    def run(self, run_dir, context):
        return {"tokens": len(text_files.tokenised(context.run_dir(self.parent))["train"].source.ids)}


def test_token_ids_with_a_flipped_bit_are_found_and_made_anew(tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).write_text("a b\nb c\n")
    pair = (str(tmp_path / "x"), str(tmp_path / "y"))
    text = Text(CorpusConfig("text", pair, pair, pair), VocabularyConfig("words", 10))
    console = Console(RichConsole(file=StringIO(), width=100))
    (run_dir,) = Runner(tmp_path / "runs", console).run(text)
    victim = run_dir / text_files.TOKENISED / "train.source.ids.npy"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    what_to_do = r"remove .*done\.json and run its experiment again"
    with pytest.raises(Damaged, match=rf"{victim.name} has changed .*: {what_to_do}"):
        Runner(tmp_path / "runs", console).run(Tokens(text))
    runner = Runner(tmp_path / "runs", console)
    runner.run(Tokens(text))
    assert runner.result(Tokens(text)) == {"tokens": 4}
    assert victim.read_bytes() == whole
