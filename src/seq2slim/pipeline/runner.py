"""Runs the stages of an experiment: each once, in order, again from its last save after an interruption.

Homes live under `$SEQ2SLIM_RUNS` (default runs/). A home holds the stage's own files and
    config.json   kind, version, identity, content hash and all options; its presence says that the stage was started
    lock          held (flock) by the process at work on it
    done.json     written last: result, versions, seconds, SHA-256 of the small files; it says that the stage is
    finished
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from rich.table import Table

from seq2slim.pipeline.console import Console, duration
from seq2slim.pipeline.lock import locked
from seq2slim.pipeline.results import write_atomically
from seq2slim.pipeline.stage import Stage, StopRequested, config_of, home_name, identity, parents
from seq2slim.training.metrics import decoded, encoded

CONFIG, DONE, LOCK, SCRATCH = "config.json", "done.json", "lock", "scratch"
_RECORDED = ("seq2slim", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "sentencepiece", "sacrebleu")
_SMALL = 2**20  # bytes; larger files have checks of their own (checkpoints) or would take long to hash at each look


def runs_folder() -> Path:
    """Where homes live: $SEQ2SLIM_RUNS, else runs/."""
    return Path(os.environ.get("SEQ2SLIM_RUNS") or "runs")


@dataclass(frozen=True)
class RunOptions:
    """How an experiment is run, whatever it computes.

    Attributes:
      smoke: a tiny version that shows within a minute that everything fits together; never published.
      publish: write rows, series, report and figures to experiments/results/<name>/, to be committed.
      use_published: take a published row instead of computing it, and mark it as such.
    """

    smoke: bool = False
    publish: bool = False
    use_published: bool = False


class Planned(NamedTuple):
    """One line of a plan."""

    stage: Stage
    state: Literal["cached", "resumes", "will run"]
    home: Path


class Runner:
    """Runs stages.

    Args:
      runs: folder of all homes; by default $SEQ2SLIM_RUNS, else runs/.
      console: where lines, tables and progress go.
      options: for the experiment to read; they change nothing here.
    """

    def __init__(self, runs: Path | None = None, console: Console | None = None, options: RunOptions = RunOptions()):
        self.runs = Path(runs) if runs is not None else runs_folder()
        self.console = console or Console()
        self.options = options
        self.stop_signal: signal.Signals | None = None
        self._done: dict[str, dict] = {}
        self._damaged: set[str] = set()
        self._running = False

    def home(self, stage: Stage) -> Path:
        """The folder of a stage, whether it exists or not."""
        return self.runs / home_name(stage)

    def is_finished(self, stage: Stage) -> bool:
        """Whether `stage` has a done.json that is whole, and the small files it vouches for are as they were."""
        return self._read_done(stage) is not None

    def done(self, stage: Stage) -> dict:
        """The done.json of a finished stage. Raises: ValueError if it is not finished."""
        if (done := self._read_done(stage)) is None:
            raise ValueError(f"{home_name(stage)} is not finished")
        return done

    def result(self, stage: Stage) -> dict | None:
        """What `stage.run` returned when it finished. Raises: ValueError if it is not finished."""
        return self.done(stage)["result"]

    def plan(self, stages: Stage | Iterable[Stage], show: bool = True) -> list[Planned]:
        """What `run` would do, in order; a table too if `show`. Ancestors that only cached stages need are left out."""
        planned: dict[str, Planned] = {}

        def visit(stage: Stage):
            if (own := identity(stage)) in planned:
                return
            home = self.home(stage)
            if self.is_finished(stage):
                planned[own] = Planned(stage, "cached", home)
                return
            for parent in parents(stage):
                visit(parent)
            planned[own] = Planned(stage, "resumes" if (home / CONFIG).exists() else "will run", home)

        for stage in [stages] if isinstance(stages, Stage) else stages:
            visit(stage)
        if show:
            self.console.say(f"Plan, homes in {self.runs}:")
            table = Table("stage", "what", "state", "home")
            for stage, state, home in planned.values():
                table.add_row(stage.kind, stage.describe(), state, home.name)
            self.console.show(table)
        return list(planned.values())

    def run(self, stages: Stage | Iterable[Stage]) -> list[Path]:
        """Runs what is missing of `stages` and their ancestors, in order; returns the homes of `stages`.

        SIGTERM or Ctrl-C: the stage at work saves and stops, what to type to go on is printed, and the process exits
        with 143 or 130. Any other exception of a stage passes through; its home stays, for the next run to go on from.
        """
        stages = [stages] if isinstance(stages, Stage) else list(stages)
        planned = self.plan(stages, show=False)
        missing = [entry.stage for entry in planned if entry.state != "cached"]
        if missing:
            self.plan(stages)
        with self._stopping_cleanly():
            for stage in missing:
                self._run_one(stage)
            self._stop_here()
        return [self.home(stage) for stage in stages]

    def _run_one(self, stage: Stage):
        self._stop_here()
        home = self.home(stage)
        home.mkdir(parents=True, exist_ok=True)

        def waiting(holder: str):
            self.console.say(f"{home.name}: {holder} is at work on it; waiting")

        with locked(home / LOCK, waiting, self._stop_here):
            if self.is_finished(stage):
                self.console.say(f"{home.name}: finished meanwhile")
                return
            resumes = (home / CONFIG).exists()
            record = {
                "kind": stage.kind,
                "version": stage.version,
                "identity": identity(stage),
                "options": config_of(stage),
            }
            if (content := stage.content_hash()) is not None:
                record["content"] = content
            write_atomically(home / CONFIG, json.dumps(record, indent=1) + "\n")
            start = time.monotonic()
            try:
                result = stage.run(home, Context(self, stage))
            except StopRequested:
                raise
            except BaseException:
                self.console.finish()
                self._say_how_to_go_on(f"{home.name} failed; what it saved is kept")
                raise
            self.console.finish()
            shutil.rmtree(home / SCRATCH, ignore_errors=True)
            seconds = time.monotonic() - start
            record |= {
                "result": result,
                "seconds": round(seconds, 3),
                "resumed": resumes,
                "versions": _versions(),
                "files": _small_files(home),
            }
            write_atomically(home / DONE, _sealed(record))
            self.console.say(f"{home.name}: {'resumed, ' if resumes else ''}finished in {duration(seconds)}")

    def _read_done(self, stage: Stage) -> dict | None:
        own, home = identity(stage), self.home(stage)
        if own not in self._done and (home / DONE).exists():
            try:
                done = _unsealed((home / DONE).read_bytes().decode())
                if done["identity"] != own:
                    raise ValueError("it belongs to another identity")
                for name, digest in done["files"].items():
                    if hashlib.sha256((home / name).read_bytes()).hexdigest() != digest:
                        raise ValueError(f"{name} has changed since")
                self._done[own] = done
            except (OSError, ValueError, KeyError, TypeError) as error:
                if own not in self._damaged:
                    self._damaged.add(own)
                    self.console.say(f"{home / DONE} is damaged ({error}): the stage counts as unfinished")
        return self._done.get(own)

    def _stop_here(self):
        if self.stop_signal is not None:
            raise StopRequested

    def _say_how_to_go_on(self, why: str):
        self.console.say(f"{why}. To go on from there: {shlex.join(sys.orig_argv)}")

    @contextlib.contextmanager
    def _stopping_cleanly(self):
        """Notes SIGTERM and SIGINT, and exits once a stage has stopped for it; a second SIGINT interrupts at once."""
        if self._running or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def note(number, _frame):
            if number == signal.SIGINT and self.stop_signal == signal.SIGINT:
                raise KeyboardInterrupt
            self.stop_signal = signal.Signals(number)
            if number == signal.SIGINT:
                self.console.say("stopping after the next save; Ctrl-C again stops at once")

        for number in before:
            signal.signal(number, note)
        self._running = True
        try:
            yield
        except StopRequested as stop:
            self.console.finish()
            name = self.stop_signal.name if self.stop_signal else "request"
            self._say_how_to_go_on(f"stopped by {name}" + (f": {stop}" if str(stop) else ""))
            raise SystemExit(128 + (self.stop_signal or signal.SIGTERM)) from None
        finally:
            self._running = False
            for number, handler in before.items():
                signal.signal(number, handler)


class Context:
    """What a running stage may ask of its runner.

    Attributes:
      console: for tables and the like.
      say: prints one line.
      progress: moves the bar: `progress(step=, total=, tokens_per_s=, loss=)`.
    """

    def __init__(self, runner: Runner, stage: Stage):
        self._runner, self._stage = runner, stage
        self.console = runner.console
        self.say = runner.console.say
        self.progress = partial(runner.console.progress, f"{stage.kind}-{identity(stage)[:6]}")

    def home(self, ancestor: Stage) -> Path:
        """The home of a finished ancestor; one that was deleted since is made again first."""
        if not self._runner.is_finished(ancestor):
            self._runner.run(ancestor)
        return self._runner.home(ancestor)

    def result(self, ancestor: Stage) -> dict | None:
        """What an ancestor's run() returned."""
        self.home(ancestor)
        return self._runner.result(ancestor)

    def scratch(self) -> Path:
        """A folder in the stage's home that survives interruptions and is deleted when the stage is finished."""
        folder = self._runner.home(self._stage) / SCRATCH
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def stop_requested(self) -> bool:
        """Polled by long work, each step: if true, save and raise StopRequested."""
        return self._runner.stop_signal is not None


def _small_files(home: Path) -> dict[str, str]:
    own = {CONFIG, DONE, LOCK}
    files = (
        path
        for path in sorted(home.iterdir())
        if path.is_file() and path.name not in own and not path.name.endswith(".tmp")
    )
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.stat().st_size <= _SMALL}


def _sealed(record: dict) -> str:
    text = json.dumps(encoded(record), allow_nan=False, sort_keys=True)
    return (
        json.dumps({**json.loads(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}, sort_keys=True, indent=1)
        + "\n"
    )


def _unsealed(text: str) -> dict:
    record = json.loads(text)
    if (
        not isinstance(record, dict)
        or _sealed({name: value for name, value in record.items() if name != "sha256"}) != text
    ):
        raise ValueError("it fails its own checksum")
    return decoded(record)


def _versions() -> dict[str, str]:
    found = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    for name in _RECORDED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
