"""The runner as a running stage sees it: run directories of ancestors, a console, scratch, whether to stop."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from seq2slim.errors import StopRequested
from seq2slim.runs.stage import Stage, identity

SCRATCH = "scratch"


class Context:
    """Access of a running stage to its `runs.runner.Runner`.

    Attributes:
      console: for tables and the like.
      say: prints one line.
      progress: moves the bar: `progress(step=, total=, tokens_per_s=, loss=)`.
    """

    def __init__(self, runner, stage: Stage):
        self._runner, self._stage = runner, stage
        self.console = runner.console
        self.say = runner.console.say
        self.progress = partial(runner.console.progress, f"{stage.kind}-{identity(stage)[:6]}")

    def run_dir(self, ancestor: Stage) -> Path:
        """The run directory of a finished ancestor; if it has been deleted, the ancestor runs again first."""
        if not self._runner.is_finished(ancestor):
            self._runner.run(ancestor)
        return self._runner.run_dir(ancestor)

    def result(self, ancestor: Stage) -> dict | None:
        """The value that an ancestor's run() returned."""
        self.run_dir(ancestor)
        return self._runner.result(ancestor)

    def scratch(self) -> Path:
        """A folder in the stage's run directory that survives interruptions and is deleted at the end of the stage."""
        folder = self._runner.run_dir(self._stage) / SCRATCH
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def stop_requested(self) -> bool:
        """Long work checks this at every step: if true, save and raise StopRequested."""
        return self._runner.stop_signal is not None

    def until_stopped(self, batches: Iterable) -> Iterator:
        """Passes batches on, for a stage that saves nothing. Raises: StopRequested if a stop was requested."""
        for batch in batches:
            if self.stop_requested:
                raise StopRequested
            yield batch
