"""What a running stage sees of the runner: its ancestors' homes, a console, a scratch folder, and whether to stop."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from seq2slim.pipeline.stage import Stage, StopRequested, identity

SCRATCH = "scratch"


class Context:
    """What a running stage may ask of its `pipeline.runner.Runner`.

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

    def until_stopped(self, batches: Iterable) -> Iterator:
        """The batches of a stage without saves of its own. Raises: StopRequested between two, if it is to stop."""
        for batch in batches:
            if self.stop_requested:
                raise StopRequested
            yield batch
