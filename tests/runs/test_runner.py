"""Stages run once, in order, in one process at a time; after any interruption the same call resumes."""

import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import identity
from tests.support.counting import Count
from tests.support.drill import run_and_signal


@pytest.fixture
def output():
    return StringIO()


@pytest.fixture
def runner(tmp_path, output):
    return Runner(tmp_path, Console(RichConsole(file=output, width=100)))


def again(runner):
    """The runner of a later process."""
    return Runner(runner.runs, runner.console)


def log(runner):
    return (runner.runs / "log").read_text().split()


A, B = Count("a"), Count("b")


AB = Count("ab", (A, B))


ABA = Count("aba", (AB, A))


def test_each_stage_runs_once_after_its_parents(runner, output):
    run_dirs = runner.run([AB, ABA])
    assert log(runner) == ["a", "b", "ab", "aba"]
    assert run_dirs == [runner.run_dir(AB), runner.run_dir(ABA)]
    assert run_dirs == [runner.runs / f"count-{identity(stage)[:16]}" for stage in (AB, ABA)]
    assert runner.result(ABA)["names"] == ["aba", "ab", "a"]
    output.truncate(0)
    later = again(runner)
    later.run([AB, ABA])
    later.run(B)
    assert log(runner) == ["a", "b", "ab", "aba"]
    assert output.getvalue() == ""
    assert not (runner.run_dir(AB) / "scratch").exists()


def test_what_is_written_down(runner):
    runner.run(AB)
    config = json.loads((runner.run_dir(AB) / "config.json").read_text())
    sources = [runner.run_dir(A).name, runner.run_dir(B).name]
    options = {"name": "ab", "sources": sources, "seconds": 0.0, "log": None, "fails": False}
    assert config == {"kind": "count", "version": 1, "identity": identity(AB), "options": options}
    done = again(runner).done(AB)
    assert done["options"] == options
    assert set(done["files"]) == {"small.txt"}
    assert {"python", "jax", "orbax-checkpoint", "seq2slim"} <= set(done["versions"])
    assert done["seconds"] >= 0
    assert done["resumed"] is False
    assert done["result"]["nan"] != done["result"]["nan"]


def test_the_plan_says_what_will_happen(runner, output):
    runner.run(A)
    with pytest.raises(ArithmeticError):
        runner.run(Count("b", fails=True))
    output.truncate(0)
    planned = again(runner).plan(ABA)
    assert [(entry.stage, entry.state) for entry in planned] == [
        (A, "cached"),
        (B, "resumes"),
        (AB, "will run"),
        (ABA, "will run"),
    ]
    for word in ("cached", "resumes", "will run", runner.run_dir(B).name, "name=ab"):
        assert word in output.getvalue()
    runner.run(AB)
    assert [entry.stage for entry in again(runner).plan(AB, show=False)] == [AB]  # its parents are not needed any more


def test_a_failure_passes_through_and_the_next_run_goes_on(runner, output):
    with pytest.raises(ArithmeticError, match="loss is nan at step 3"):
        runner.run([A, Count("b", fails=True), AB])
    assert "failed; what it has saved is kept. To resume: " in output.getvalue()
    assert (runner.run_dir(B) / "scratch" / "started").exists()
    later = again(runner)
    assert not later.is_finished(B)
    with pytest.raises(ValueError, match="is not finished"):
        later.result(B)
    later.run(AB)
    assert log(runner) == ["a", "b", "b", "ab"]
    assert later.done(B)["resumed"] is True


def damaged_bit(run_dir):
    data = bytearray((run_dir / "done.json").read_bytes())
    data[len(data) // 2] ^= 4
    (run_dir / "done.json").write_bytes(data)


def truncated(run_dir):
    os.truncate(run_dir / "done.json", 40)


def another_stages(run_dir):
    (run_dir / "done.json").write_bytes(
        next(path for path in run_dir.parent.glob("*/done.json") if path.parent != run_dir).read_bytes()
    )


def changed_file(run_dir):
    (run_dir / "small.txt").write_text("b ")


@pytest.mark.parametrize("damage", [damaged_bit, truncated, another_stages, changed_file])
def test_a_damaged_done_json_is_no_done_json(runner, output, damage):
    runner.run([A, B])
    damage(runner.run_dir(B))
    output.truncate(0)
    later = again(runner)
    later.run([A, B])
    assert log(runner) == ["a", "b", "b"]
    assert output.getvalue().count("is damaged") == 1
    assert again(runner).is_finished(B)


def test_a_deleted_ancestor_is_made_again_when_asked_for(runner):
    runner.run(AB)
    for path in runner.run_dir(A).iterdir():
        path.unlink()
    again(runner).run(ABA)
    assert log(runner) == ["a", "b", "ab", "a", "aba"]


def test_runs_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SEQ2SLIM_RUNS", str(tmp_path / "elsewhere"))
    assert Runner().runs == tmp_path / "elsewhere"
    monkeypatch.delenv("SEQ2SLIM_RUNS")
    assert Runner().runs == Path("runs")


def command(runner, seconds):
    return [sys.executable, "-m", "tests.support.counting", str(runner.runs), str(seconds)]


def test_two_processes_do_the_work_of_one_once(runner):
    started = [subprocess.Popen(command(runner, 1.5), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert log(runner) == ["x"]
    waited = next(text for text in outputs if "waiting" in text)
    assert "which is running it" in waited
    assert "finished by another process" in waited


def test_a_killed_holder_of_the_lock_lets_go_and_sigterm_ends_a_wait(runner):
    stage = Count("x")
    holder = subprocess.Popen(command(runner, 60), stdout=subprocess.DEVNULL)
    try:
        while not (runner.run_dir(stage) / "scratch" / "started").exists():
            time.sleep(0.01)
        said = runner.runs / "said"
        code, text = run_and_signal(command(runner, 0), lambda: "waiting" in said.read_text(), 0, signal.SIGTERM)
        assert code == 143, text
        assert f"process {holder.pid} on" in text
        assert "stopped by SIGTERM. To resume: " in text
    finally:
        holder.kill()
        holder.wait()
    assert log(runner) == ["x"]
    runner.run(stage)
    assert log(runner) == ["x", "x"]
    assert runner.done(stage)["resumed"]
