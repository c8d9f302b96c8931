"""A stage that counts how often it runs, for the tests of the runner; light, so that processes of it start fast.

python -m tests.support.counting RUNS SECONDS
"""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from seq2slim.errors import StopRequested
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import Stage


@dataclass(frozen=True)
class Count(Stage):
    """Writes a line to `log` each time it runs; sleeps in the middle."""

    kind: ClassVar[str] = "count"
    name: str
    sources: tuple[Stage, ...] = ()
    seconds: float = field(default=0.0, metadata={"identity": False})
    log: Path | None = field(default=None, metadata={"identity": False})
    fails: bool = field(default=False, metadata={"identity": False})

    def run(self, run_dir, context):
        with (self.log or run_dir.parent / "log").open("a") as log:
            log.write(f"{self.name}\n")
        (context.scratch() / "started").touch()
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            if context.stop_requested:
                raise StopRequested("after a nap")
            time.sleep(0.02)
        if self.fails:
            raise ArithmeticError("loss is nan at step 3")
        (run_dir / "small.txt").write_text(self.name)
        return {
            "names": [self.name, *(context.result(source)["names"][0] for source in self.sources)],
            "nan": float("nan"),
        }


class Diary(Console):
    """Also writes down what it says, in RUNS/said."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path

    def say(self, line: str):
        super().say(line)
        with self.path.open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    runs = Path(sys.argv[1])
    Runner(runs, Diary(runs / "said")).run(Count("x", seconds=float(sys.argv[2])))
