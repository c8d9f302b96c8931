"""Metrics of training steps on their way from the device to the log: read one step late, one line for many steps."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import jax
import numpy as np

from seq2slim.errors import UserError
from seq2slim.training.metrics import Metrics
from seq2slim.training.objective import RESERVED, perplexity

LOG_EVERY = 50  # steps between two lines of training metrics


class NonFiniteLoss(UserError):
    """A loss or gradient norm that is NaN or infinite. The run stops; its checkpoints are unchanged."""


class Watcher(Protocol):
    """What the loop reports to, and who may ask it to stop. `runs.context.Context` is one."""

    @property
    def stop_requested(self) -> bool: ...

    def progress(self, *, step: int, total: int, tokens_per_s: float | None, loss: float) -> None: ...

    def say(self, line: str) -> None: ...


class MetricBuffer:
    """Metrics of the steps since the last line of the log.

    They are fetched from the device one step late, so that the device never waits for the host.

    Args:
      total_steps, steps_per_epoch: of the run.
      log, watcher: where the metrics go.
      report, progress: of the objective.
    """

    def __init__(
        self,
        total_steps: int,
        steps_per_epoch: int,
        log: Metrics,
        watcher: Watcher,
        report: Callable[[Mapping[str, float]], dict[str, float]] = perplexity,
        progress: str = "nll",
    ):
        self.total_steps, self.steps_per_epoch, self.log, self.watcher = total_steps, steps_per_epoch, log, watcher
        self.report, self.shown = report, progress
        self.pending, self.rate = None, None
        self.restart()

    def restart(self):
        """Restarts the clock, so that validation and saving do not count as training time."""
        self.seen: list = []
        self.since = time.perf_counter()

    def add(self, step: int, batch, metrics):
        """Stores the metrics of `step`, which is still being computed, and reads those of the step before."""
        self._read()
        self.pending = step, batch.ids, metrics
        if len(self.seen) >= LOG_EVERY:
            self._write()

    def flush(self):
        """Reads and writes all pending metrics."""
        self._read()
        self._write()

    def _read(self):
        if self.pending is None:
            return
        step, ids, metrics = self.pending
        self.pending = None
        values = jax.device_get(metrics)
        loss, norm = values["loss"], values["gradient_norm"]
        if not (np.isfinite(loss) and np.isfinite(norm)):
            lines = ", ".join(str(i + 1) for i in ids if i >= 0)
            raise NonFiniteLoss(
                f"step {step + 1}: loss {loss}, gradient norm {norm}, learning rate "
                f"{values['learning_rate']:g}. Earlier checkpoints are unchanged. Try a lower learning rate or a lower "
                f"clip norm, or look at the batch: training lines {lines}"
            )
        self.seen.append((step, values))
        shown = float(values[self.shown]) / max(float(values["tokens"]), 1)
        self.watcher.progress(step=step + 1, total=self.total_steps, tokens_per_s=self.rate, loss=shown)

    def _write(self):
        if not self.seen:
            return
        last, values = self.seen[-1]
        sums = {name: float(sum(v[name] for _, v in self.seen)) for name in values}
        self.rate = sums["tokens"] / (time.perf_counter() - self.since)
        self.log.write(
            last + 1,
            epoch=(last + 1) / self.steps_per_epoch,
            train_loss=sums["loss"] / len(self.seen),
            **self.report({name: sums[name] for name in sums.keys() - (RESERVED - {"tokens"})}),
            gradient_norm=sums["gradient_norm"] / len(self.seen),
            learning_rate=float(values["learning_rate"]),
            tokens_per_s=self.rate,
        )
        self.restart()
