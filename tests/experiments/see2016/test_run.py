"""Which rows the study computes, takes from published ones, and keeps."""

from collections import ChainMap
from dataclasses import dataclass
from typing import ClassVar

from experiments.see2016 import run as study_run
from experiments.see2016 import study
from seq2slim.runs import results
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner, RunOptions
from seq2slim.runs.stage import Stage, identity
from tests.support.toy_study import config


@dataclass(frozen=True)
class Measured(Stage):
    """Yields a number, and says that it ran."""

    kind: ClassVar[str] = "measured"
    name: str
    log: ClassVar[list[str]] = []

    def run(self, run_dir, context):
        self.log.append(self.name)
        return {"value": len(self.name), "codec": "float32"}


class TestRun:
    def experiment(self, *names):
        def entries(config, seed):
            own = [study.Entry(Measured(f"{name}{seed}"), {"model": name}) for name in names]
            return [own[0]._replace(series=lambda runner: {"curve": [seed, 2]}), *own[1:], *own]  # some twice

        return {names[0]: entries}

    def run(self, tmp_path, *experiments, seeds=(1, 2), folder="one", **options):
        Measured.log.clear()
        runner = Runner(tmp_path / folder, Console(), RunOptions(**options))
        return study_run.collect(dict(ChainMap(*reversed(experiments))), config(seeds=seeds), runner)

    def test_one_seed_is_complete_before_the_next_and_shared_rows_run_once(self, tmp_path):
        rows, series = self.run(tmp_path, self.experiment("a", "bb"), self.experiment("c", "a"))
        assert Measured.log == ["a1", "bb1", "c1", "a2", "bb2", "c2"]
        assert sorted((row["experiment"], row["seed"], row["model"]) for row in rows) == [
            ("a", 1, "a"), ("a", 1, "bb"), ("a", 2, "a"), ("a", 2, "bb"),
            ("c", 1, "a"), ("c", 1, "c"), ("c", 2, "a"), ("c", 2, "c"),
        ]  # fmt: skip
        assert series[identity(Measured("a1"))] == {"curve": [1, 2]}

    def test_a_later_run_of_one_experiment_leaves_the_rows_of_others(self, tmp_path):
        before, _ = self.run(tmp_path, self.experiment("a", "bb"), self.experiment("c"))
        after, _ = self.run(tmp_path, self.experiment("c"))
        assert Measured.log == []
        assert after == before

    def test_published_rows_are_taken_with_their_series_and_marked(self, tmp_path):
        self.run(tmp_path, self.experiment("a", "bb"), seeds=(1,), publish=True)
        rows, series = self.run(
            tmp_path, self.experiment("a", "bb"), seeds=(1, 2), folder="elsewhere", use_published=True
        )
        assert Measured.log == ["a2", "bb2"]
        marks = {(row["model"], row["seed"]): row.get("published", False) for row in rows}
        assert marks == {("a", 1): True, ("bb", 1): True, ("a", 2): False, ("bb", 2): False}
        assert {row["value"] for row in rows if row["seed"] == 1} == {2, 3}
        assert series[identity(Measured("a1"))] == {"curve": [1, 2]}

    def test_rows_taken_to_where_they_came_from_are_as_they_were(self, tmp_path):
        """But for what the experiment that has them now says of them."""
        both = self.experiment("a", "bb"), self.experiment("c", "a")
        self.run(tmp_path, *both, seeds=(1,), publish=True)
        folder = tmp_path / "experiments" / "results" / study.NAME
        before = results.published(folder)
        rows, _ = self.run(tmp_path, *both, seeds=(1,), folder="elsewhere", publish=True, use_published=True)
        assert Measured.log == []
        assert results.published(folder) == before
        assert {row["codec"] for row in rows} == {"float32"}

    def test_a_row_whose_series_is_lost_is_computed(self, tmp_path):
        self.run(tmp_path, self.experiment("a", "bb"), seeds=(1,), publish=True)
        (series,) = (tmp_path / "experiments" / "results" / study.NAME / "series").iterdir()
        series.unlink()
        self.run(tmp_path, self.experiment("a", "bb"), seeds=(1,), folder="elsewhere", use_published=True)
        assert Measured.log == ["a1"]
