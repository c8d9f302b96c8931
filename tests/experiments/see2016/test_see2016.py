"""The whole study: its experiments share stages, each is a module that runs alone, and all run on the toy."""

import importlib
import json

import pytest

from experiments.see2016 import report as study_report
from experiments.see2016 import see2016
from seq2slim.runs.stage import identity
from tests.support.made_up_rows import NOT_RUN
from tests.support.toy_study import config


def test_experiments_share_their_stages():
    made = {name: entries(config(), 1) for name, entries in see2016.EXPERIMENTS.items()}
    own = {name: {identity(entry.stage) for entry in entries} for name, entries in made.items()}
    assert own["regularisation"] < own["fig6_retraining"]
    assert own["fig5_magnitude"] < own["fig4_breakdown"]
    assert len(own["fig3_schemes"] & own["fig6_retraining"]) == 1 + 5
    assert len(own["fig3_schemes"]) == 1 + 4 * 9


@pytest.mark.parametrize("name", see2016.EXPERIMENTS)
def test_each_experiment_runs_its_own_entries(name, monkeypatch):
    module = importlib.import_module(f"experiments.see2016.{name}")
    ran = []
    monkeypatch.setattr(module, "run", lambda *arguments: ran.append(arguments))
    module.main(config(), None)
    assert ran == [({name: module.entries}, config(), None)]


@pytest.mark.slow
def test_smoke_run_of_the_whole_study(tmp_path, monkeypatch):
    monkeypatch.chdir(study_report.Path(study_report.__file__).parents[2])
    from tests.support.smoke import SmokeRun

    run = SmokeRun(tmp_path / "smoke", -1, "").again("see2016")
    assert run.code == 0, run.output
    folder = run.runs / "results" / "see2016"
    report = (folder / "report.md").read_text()
    ran = {json.loads(line)["experiment"] for line in (folder / "rows.jsonl").read_text().splitlines()}
    assert ran == set(see2016.EXPERIMENTS)
    unrun = [line for line in report.splitlines() if NOT_RUN in line and line.startswith("| ")]
    assert not unrun
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    again = run.again("see2016", "--only-report")
    assert again.code == 0, again.output
    assert "Plan" not in again.output
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
