"""One run of the main experiment on the toy, and its runs folder under the command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class SmokeRun(NamedTuple):
    """`run EXPERIMENT --smoke` as a person types it, in a process and a runs folder of its own."""

    runs: Path
    code: int
    output: str

    def again(self, experiment: str = "prune80", *arguments: str) -> "SmokeRun":
        """The same command in the same runs folder."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
        environment |= {"SEQ2SLIM_RUNS": str(self.runs), "COLUMNS": "200"}
        command = [sys.executable, "-m", "seq2slim", "run", experiment, "--smoke", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return SmokeRun(self.runs, done.returncode, done.stdout)

    def copy(self, runs: Path) -> "SmokeRun":
        """Its runs folder, to be damaged."""
        shutil.copytree(self.runs, runs)
        return self._replace(runs=runs)

    @property
    def results(self) -> Path:
        return self.runs / "results" / "prune80"

    @property
    def rows(self) -> list[dict]:
        """All rows, in the order of the report."""
        lines = (self.results / "rows.jsonl").read_text().splitlines()
        return sorted(map(json.loads, lines), key=lambda row: row["order"])

    @property
    def models(self) -> dict[str, dict]:
        """The rows of models by label."""
        return {row["label"]: row for row in self.rows if "beam_bleu" in row}

    def evaluation(self, label: str) -> Path:
        """The run directory of the stage that yielded a model's row."""
        return self.runs / f"evaluate-{self.models[label]['identity'][:16]}"

    def run_dir(self, label: str) -> Path:
        """The run directory of the stage that made a model."""
        return self.runs / json.loads((self.evaluation(label) / "config.json").read_text())["options"]["parent"]


class Toy(NamedTuple):
    """A runs folder with a trained, pruned and retrained tiny model, and the command line as a person types it."""

    runs: Path
    run_dirs: dict[str, Path]  # by label of prune80

    def type(self, *words, input: bytes = b"", code: int = 0) -> subprocess.CompletedProcess:
        """`python -m seq2slim WORDS < input` in the runs folder's parent; fails unless it ends with `code`."""
        done = subprocess.run(
            self.command(*words),
            input=input,
            capture_output=True,
            cwd=self.runs.parent,
            env=self.environment(),
            check=False,
        )
        assert done.returncode == code, done.stderr.decode() + done.stdout.decode()
        return done

    def command(self, *words) -> list[str]:
        return [sys.executable, "-m", "seq2slim", *map(str, words)]

    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
        return plain | {"SEQ2SLIM_RUNS": self.runs.name, "COLUMNS": "100", "PYTHONPATH": os.pathsep.join(sys.path)}

    def lines(self, split: str, side: str) -> list[str]:
        """Lines of the toy corpus; side is "letters" or "reversed"."""
        return (self.runs / "cache" / "reverse" / f"{split}.{side}").read_text().splitlines()


def last_line(done: subprocess.CompletedProcess) -> str:
    """The last line that a command printed: of those that run stages, the run directory."""
    return done.stdout.decode().splitlines()[-1]
