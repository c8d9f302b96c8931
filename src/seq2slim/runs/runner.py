"""Runs the stages of an experiment: each once, in order; an interrupted one resumes from its last checkpoint.

Run directories live under `$SEQ2SLIM_RUNS` (default runs/). A run directory holds the files of its stage and
    config.json   kind, version, identity, content hash and all options; it exists once the stage has started
    lock          held (flock) by the process that runs the stage
    done.json     written last, when the stage is finished: result, versions, seconds, SHA-256 of the small files
"""

import contextlib
import json
import os
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

from seq2slim.errors import Damaged, StopRequested, UserError
from seq2slim.files import locked, write_atomically
from seq2slim.runs.console import Console, duration
from seq2slim.runs.context import SCRATCH, Context
from seq2slim.runs.done import CONFIG, DONE, LOCK, read_done, write_done
from seq2slim.runs.stage import Stage, config_of, identity, parents, run_name


def runs_folder() -> Path:
    """The folder of all run directories: $SEQ2SLIM_RUNS, else runs/."""
    return Path(os.environ.get("SEQ2SLIM_RUNS") or "runs")


@dataclass(frozen=True)
class RunOptions:
    """How an experiment is run; none of this changes what it computes.

    Attributes:
      smoke: a tiny version that shows within a minute that all parts work together; never published.
      publish: write rows, series, report and figures to experiments/results/<name>/, to be committed.
      use_published: take published rows instead of computing them, and mark them.
    """

    smoke: bool = False
    publish: bool = False
    use_published: bool = False


class Planned(NamedTuple):
    """One line of a plan."""

    stage: Stage
    state: Literal["cached", "resumes", "will run"]
    run_dir: Path


class Runner:
    """Runs stages.

    Args:
      runs: folder of all run directories; by default $SEQ2SLIM_RUNS, else runs/.
      console: where lines, tables and progress go.
      options: for the experiment to read; the runner ignores them.
    """

    def __init__(self, runs: Path | None = None, console: Console | None = None, options: RunOptions = RunOptions()):
        self.runs = Path(runs) if runs is not None else runs_folder()
        self.console = console or Console()
        self.options = options
        self.stop_signal: signal.Signals | None = None
        self._done: dict[str, dict] = {}
        self._damaged: set[str] = set()
        self._running = False

    def run_dir(self, stage: Stage) -> Path:
        """The run directory of a stage, whether it exists or not."""
        return self.runs / run_name(stage)

    def is_finished(self, stage: Stage) -> bool:
        """Whether `stage` has a valid done.json, and the small files that it lists are unchanged."""
        return self._read_done(stage) is not None

    def done(self, stage: Stage) -> dict:
        """The done.json of a finished stage. Raises: UserError if it is not finished."""
        if (done := self._read_done(stage)) is None:
            raise UserError(f"{run_name(stage)} is not finished")
        return done

    def result(self, stage: Stage) -> dict | None:
        """The value that `stage.run` returned. Raises: UserError if the stage is not finished."""
        return self.done(stage)["result"]

    def plan(self, stages: Stage | Iterable[Stage], show: bool = True) -> list[Planned]:
        """What `run` would do, in order; printed if `show`. Ancestors that only cached stages need are left out."""
        planned: dict[str, Planned] = {}

        def visit(stage: Stage):
            if (own := identity(stage)) in planned:
                return
            run_dir = self.run_dir(stage)
            if self.is_finished(stage):
                planned[own] = Planned(stage, "cached", run_dir)
                return
            for parent in parents(stage):
                visit(parent)
            planned[own] = Planned(stage, "resumes" if (run_dir / CONFIG).exists() else "will run", run_dir)

        for stage in [stages] if isinstance(stages, Stage) else stages:
            visit(stage)
        if show:
            self.console.say(f"Plan (run directories in {self.runs}):")
            table = Table("stage", "what", "state", "run directory")
            for stage, state, run_dir in planned.values():
                table.add_row(stage.kind, stage.describe(), state, run_dir.name)
            self.console.show(table)
        return list(planned.values())

    def run(self, stages: Stage | Iterable[Stage]) -> list[Path]:
        """Runs the unfinished ones of `stages` and their ancestors, in order. Returns: the run directories of `stages`.

        SIGTERM or Ctrl-C: the stage at work saves and stops, the command that resumes is printed, and the process exits
        with 143 or 130. Any other exception of a stage passes through; its run directory stays, to be resumed from.

        Raises: PermissionError, before any work, if a stage that will run cannot write to its run directory.
        """
        stages = [stages] if isinstance(stages, Stage) else list(stages)
        planned = self.plan(stages, show=False)
        missing = [entry.stage for entry in planned if entry.state != "cached"]
        if missing:
            self._check_writable(map(self.run_dir, missing))
            self.plan(stages)
        with self._stopping_cleanly():
            for stage in missing:
                self._run_one(stage)
            self._stop_here()
        return [self.run_dir(stage) for stage in stages]

    def _run_one(self, stage: Stage):
        self._stop_here()
        run_dir = self.run_dir(stage)
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            with locked(run_dir / LOCK, partial(self._say_waiting, run_dir), self._stop_here):
                self._run_alone(stage, run_dir)
        except StopRequested:
            raise
        except BaseException as error:
            self.console.finish()
            if isinstance(error, Damaged):
                self._done.clear()
                with contextlib.suppress(OSError):  # the message of the error says what to remove
                    (error.run_dir / DONE).unlink(missing_ok=True)
            self._say_how_to_resume(f"{run_dir.name} failed; what it has saved is kept")
            raise

    def _run_alone(self, stage: Stage, run_dir: Path):
        if self.is_finished(stage):
            self.console.say(f"{run_dir.name}: finished by another process")
            return
        resumes = (run_dir / CONFIG).exists()
        record = {
            "kind": stage.kind,
            "version": stage.version,
            "identity": identity(stage),
            "options": config_of(stage),
        }
        if (content := stage.content_hash()) is not None:
            record["content"] = content
        write_atomically(run_dir / CONFIG, json.dumps(record, indent=1) + "\n")
        start = time.monotonic()
        result = stage.run(run_dir, Context(self, stage))
        self.console.finish()
        shutil.rmtree(run_dir / SCRATCH, ignore_errors=True)
        seconds = time.monotonic() - start
        write_done(run_dir, {**record, "result": result, "seconds": round(seconds, 3), "resumed": resumes})
        self.console.say(f"{run_dir.name}: {'resumed, ' if resumes else ''}finished in {duration(seconds)}")

    def _read_done(self, stage: Stage) -> dict | None:
        own, run_dir = identity(stage), self.run_dir(stage)
        if own not in self._done and (run_dir / DONE).exists():
            try:
                self._done[own] = read_done(run_dir, own)
            except (OSError, ValueError, KeyError, TypeError) as error:
                if own not in self._damaged:
                    self._damaged.add(own)
                    self.console.say(f"{run_dir / DONE} is damaged ({error}): the stage counts as unfinished")
        return self._done.get(own)

    def _stop_here(self):
        if self.stop_signal is not None:
            raise StopRequested

    def _check_writable(self, run_dirs: Iterable[Path]):
        """Raises PermissionError now rather than after hours of work of the stages before."""
        for run_dir in run_dirs:
            nearest = next(folder for folder in (run_dir, *run_dir.absolute().parents) if folder.exists())
            for folder in (nearest, *(Path(inner) for inner, _, _ in os.walk(run_dir))):
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(
                        f"cannot write to {folder}: make it writable, or set SEQ2SLIM_RUNS to another folder"
                    )

    def _say_waiting(self, run_dir: Path, holder: str):
        self.console.say(f"{run_dir.name}: waiting for {holder}, which is running it")

    def _say_how_to_resume(self, why: str):
        runs = os.environ.get("SEQ2SLIM_RUNS")
        setting = f"SEQ2SLIM_RUNS={shlex.quote(runs)} " if runs else ""
        self.console.say(f"{why}. To resume: {setting}{shlex.join(sys.orig_argv)}")

    @contextlib.contextmanager
    def _stopping_cleanly(self):
        """Records SIGTERM and SIGINT, and exits when the stage has saved; a second SIGINT interrupts at once."""
        if self._running or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def note(number, _frame):
            if number == signal.SIGINT and self.stop_signal == signal.SIGINT:
                raise KeyboardInterrupt
            self.stop_signal = signal.Signals(number)
            if number == signal.SIGINT:
                self.console.say("stopping as soon as this stage has saved, or at its end; Ctrl-C again stops at once")

        self.stop_signal = None  # set by an earlier run: a notebook keeps using one runner
        for number in before:
            signal.signal(number, note)
        self._running = True
        try:
            yield
        except StopRequested as stop:
            self.console.finish()
            name = self.stop_signal.name if self.stop_signal else "request"
            self._say_how_to_resume(f"stopped by {name}" + (f": {stop}" if str(stop) else ""))
            raise SystemExit(128 + (self.stop_signal or signal.SIGTERM)) from None
        finally:
            self._running = False
            for number, handler in before.items():
                signal.signal(number, handler)
