"""The training loop: steps, validations, checkpoints, early stopping. Everything goes by step, never by the clock."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim import pruning
from seq2slim.errors import StopRequested
from seq2slim.training.checkpoints import CheckpointError, Checkpoints
from seq2slim.training.config import TrainingConfig, total_steps
from seq2slim.training.mask_schedule import MaskSchedule
from seq2slim.training.metric_buffer import MetricBuffer, NonFiniteLoss, Watcher
from seq2slim.training.metrics import Metrics
from seq2slim.training.objective import perplexity
from seq2slim.training.state import TrainState

SAVES = "saves"  # folder of the checkpoints in a run directory


@dataclass
class Progress:
    """Early-stopping state, part of each checkpoint.

    best: best validation value so far. best_step: its step. worse: validations since then.
    """

    best: float = math.nan
    best_step: int = -1
    worse: int = 0

    def update(self, value: float, step: int, higher_is_better: bool) -> bool:
        """Records one validation. Returns: whether it is the best so far."""
        if math.isnan(self.best) or (value > self.best if higher_is_better else value < self.best):
            self.best, self.best_step, self.worse = value, step, 0
            return True
        self.worse += 1
        return False

    def arrays(self) -> dict:
        """As arrays, for a checkpoint."""
        return {"best": np.float64(self.best), "best_step": np.int64(self.best_step), "worse": np.int64(self.worse)}

    @classmethod
    def of(cls, arrays: dict) -> "Progress":
        """The inverse of `arrays`."""
        return cls(float(arrays["best"]), int(arrays["best_step"]), int(arrays["worse"]))


@dataclass(frozen=True)
class Run:
    """What a training run consists of.

    Attributes:
      step: (state, batch, masks) -> (state, metrics), as `step.Training.step`.
      batches: first step -> iterator over the batches from that step on; a pure function of the run's seed.
      evaluate: params -> {name: value}, with `config.metric` among the names.
      steps_per_epoch: batches per epoch.
      config: of the run.
      masks: of a pruned model, or None. With a `schedule` they are the first ones, and all weights have one.
      schedule: of masks that change, or None.
      higher_is_better: whether `config.metric` is better when higher.
      report, progress: of the objective.
    """

    step: Callable
    batches: Callable[[int], Iterator]
    evaluate: Callable[[Any], dict[str, float]]
    steps_per_epoch: int
    config: TrainingConfig
    masks: Any = None
    schedule: MaskSchedule | None = None
    higher_is_better: bool = False
    report: Callable = perplexity
    progress: str = "nll"

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return total_steps(self.config, self.steps_per_epoch)

    def validates(self, step: int) -> bool:
        """Whether to validate when `step` steps are done: at even fractions of each epoch, and at the end."""
        each, epoch = self.config.evaluations_per_epoch, self.steps_per_epoch
        return step * each // epoch > (step - 1) * each // epoch or step == self.total_steps


class Fitted(NamedTuple):
    """The result of a run: parameters, their masks (None if dense), and the steps that were taken."""

    params: Any
    masks: Any
    steps: int


@dataclass
class _Point:
    """Where a run is: what a checkpoint holds. Masks are part of it only if they change."""

    state: TrainState
    progress: Progress
    masks: Any

    def items(self, run: Run) -> dict:
        changing = {} if run.schedule is None else {"masks": self.masks}
        return {"state": self.state._asdict(), "progress": self.progress.arrays(), **changing}

    @classmethod
    def of(cls, items: dict, run: Run) -> "_Point":
        return cls(TrainState(**items["state"]), Progress.of(items["progress"]), items.get("masks", run.masks))


def fit(run: Run, state: TrainState, run_dir: Path, watcher: Watcher) -> Fitted:
    """Trains to the end, from the newest valid checkpoint if there is one. The result is that of an uninterrupted run.

    Args:
      run: what is trained, on what.
      state: the start of a run without checkpoints; its buffers are donated.
      run_dir: run directory, with `saves/`, `metrics.jsonl` and `tensorboard/`.
      watcher: sees the progress; may ask to stop.
    Returns: the model of the best validation or of the last step, as `config.keep` says.
    Raises: NonFiniteLoss naming step, rate and line numbers; StopRequested after saving, if the watcher asks to stop.
    """
    checkpoints = Checkpoints(run_dir / SAVES, report=watcher.say)
    point = _Point(state, Progress(), run.masks)
    restored = checkpoints.restore(point.items(run))
    if restored is not None:
        point = _Point.of(restored[1], run)
        watcher.say(f"resuming from step {restored[0]} of {run.total_steps}")
    with Metrics(run_dir, restored and restored[0], report=watcher.say) as log:
        _steps(run, point, checkpoints, log, watcher, fresh=restored is None)
    steps = int(point.state.step)
    if run.config.keep == "best":
        if (found := checkpoints.restore(point.items(run), best=True)) is None:
            where = checkpoints.folder
            raise CheckpointError(f"the best checkpoint in {where} is damaged: delete {run_dir} and train again")
        point = _Point.of(found[1], run)
    return Fitted(point.state.result, point.masks, steps)


def _steps(run: Run, point: _Point, checkpoints: Checkpoints, log: Metrics, watcher: Watcher, fresh: bool):
    """Takes the steps that are left; `point` moves along."""

    def save(best=False):
        if point.masks is not None:
            _check_pruned(point.state.result, point.masks)
        log.sync()
        checkpoints.save(int(point.state.step), point.items(run), best=best)

    def validate():
        step, metric = int(point.state.step), run.config.metric
        values = run.evaluate(point.state.result)
        if not math.isfinite(values[metric]):
            raise NonFiniteLoss(
                f"validation after step {step}: {metric} is {values[metric]}. Earlier checkpoints "
                "are unchanged. Try a lower learning rate or a lower clip norm"
            )
        log.write(step, epoch=step / run.steps_per_epoch, **values)
        save(best=point.progress.update(values[metric], step, run.higher_is_better))

    def over() -> bool:
        step, patience = int(point.state.step), run.config.patience
        pruned = run.schedule is None or step > run.schedule.last
        return step >= run.total_steps or (pruned and patience > 0 and point.progress.worse >= patience)

    if fresh:
        validate()
    if over():
        return
    buffer = MetricBuffer(run.total_steps, run.steps_per_epoch, log, watcher, run.report, run.progress)
    start = int(point.state.step)
    for step, batch in enumerate(run.batches(start), start):
        if run.schedule is not None and run.schedule.is_due(step):
            buffer.flush()
            point.state, point.masks = run.schedule.prune(point.state, point.masks)
            point.progress = Progress()  # a denser model is no rival
            log.write(step + 1, sparsity=pruning.count(point.masks).sparsity)
            buffer.restart()
        point.state, metrics = run.step(point.state, batch, point.masks)
        buffer.add(step, batch, metrics)
        validated = run.validates(step + 1)
        if validated:
            buffer.flush()
            validate()
            buffer.restart()
            if over():
                return
        if watcher.stop_requested:
            if not validated:
                buffer.flush()
                save()
            raise StopRequested(f"step {step + 1} of {run.total_steps} is saved")
    raise ValueError("the batches ended before the last step")


@jax.jit
def _leaks(params, masks):
    """int32[]: pruned weights that are not 0.0."""
    return sum(
        jnp.sum(jnp.where(mask, 0, w != 0), dtype=jnp.int32) for w, mask in zip(*map(jax.tree.leaves, (params, masks)))
    )


def _check_pruned(params, masks):
    if leaks := int(_leaks(params, masks)):
        raise AssertionError(
            f"{leaks} pruned weights are not zero: the optimiser leaked past the masks; nothing was saved"
        )
