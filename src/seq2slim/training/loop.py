"""The training loop: steps, validations, checkpoints, early stopping. Everything goes by step, never by the clock."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim.errors import StopRequested
from seq2slim.training.checkpoints import CheckpointError, Checkpoints
from seq2slim.training.config import TrainingConfig, total_steps
from seq2slim.training.metric_buffer import MetricBuffer, NonFiniteLoss, Watcher
from seq2slim.training.metrics import Metrics
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
      step: (state, batch, masks) -> (state, StepMetrics), jitted.
      batches: first step -> iterator over the batches from that step on; a pure function of the run's seed.
      evaluate: params -> {name: value}, with `config.metric` among the names.
      steps_per_epoch: batches per epoch.
      config: of the run.
      masks: of a pruned model, or None.
    """

    step: Callable
    batches: Callable[[int], Iterator]
    evaluate: Callable[[Any], dict[str, float]]
    steps_per_epoch: int
    config: TrainingConfig
    masks: Any = None

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return total_steps(self.config, self.steps_per_epoch)

    def validates(self, step: int) -> bool:
        """Whether to validate when `step` steps are done: at even fractions of each epoch, and at the end."""
        each, epoch = self.config.evaluations_per_epoch, self.steps_per_epoch
        return step * each // epoch > (step - 1) * each // epoch or step == self.total_steps


def fit(run: Run, state: TrainState, run_dir: Path, watcher: Watcher):
    """Trains to the end, from the newest valid checkpoint if there is one. The result is that of an uninterrupted run.

    Args:
      run: what is trained, on what.
      state: the start of a run without checkpoints; its buffers are donated.
      run_dir: run directory, with `saves/`, `metrics.jsonl` and `tensorboard/`.
      watcher: sees the progress; may ask to stop.
    Returns: (the parameters of the best validation or of the last step, as `config.keep` says; steps done).
    Raises: NonFiniteLoss naming step, rate and line numbers; StopRequested after saving, if the watcher asks to stop.
    """
    checkpoints = Checkpoints(run_dir / SAVES, report=watcher.say)
    restored = checkpoints.restore(_items(state, Progress()))
    progress = Progress()
    if restored is not None:
        step, items = restored
        state, progress = TrainState(**items["state"]), Progress.of(items["progress"])
        watcher.say(f"resuming from step {step} of {run.total_steps}")
    with Metrics(run_dir, None if restored is None else step, report=watcher.say) as log:
        state = _steps(run, state, progress, checkpoints, log, watcher, fresh=restored is None)
    if run.config.keep == "last":
        return state.result, int(state.step)
    if (found := checkpoints.restore(_items(state, progress), best=True)) is None:
        where = checkpoints.folder
        raise CheckpointError(f"the best checkpoint in {where} is damaged: delete {run_dir} and train again")
    return TrainState(**found[1]["state"]).result, int(state.step)


def _items(state: TrainState, progress: Progress) -> dict:
    return {"state": state._asdict(), "progress": progress.arrays()}


def _steps(
    run: Run,
    state: TrainState,
    progress: Progress,
    checkpoints: Checkpoints,
    log: Metrics,
    watcher: Watcher,
    fresh: bool,
) -> TrainState:
    def save(best=False):
        if run.masks is not None:
            _check_pruned(state.result, run.masks)
        log.sync()
        checkpoints.save(int(state.step), _items(state, progress), best=best)

    def validate():
        values = run.evaluate(state.result)
        metric = run.config.metric
        if not math.isfinite(values[metric]):
            raise NonFiniteLoss(
                f"validation after step {int(state.step)}: {metric} is {values[metric]}. Earlier checkpoints "
                "are unchanged. Try a lower learning rate or a lower clip norm"
            )
        log.write(int(state.step), epoch=int(state.step) / run.steps_per_epoch, **values)
        save(best=progress.update(values[metric], int(state.step), higher_is_better=metric.endswith("bleu")))

    def over() -> bool:
        done = int(state.step) >= run.total_steps
        return done or (run.config.patience > 0 and progress.worse >= run.config.patience)

    if fresh:
        validate()
    if over():
        return state
    buffer = MetricBuffer(run.total_steps, run.steps_per_epoch, log, watcher)
    start = int(state.step)
    for step, batch in enumerate(run.batches(start), start):
        state, metrics = run.step(state, batch, run.masks)
        buffer.add(step, batch, metrics)
        validated = run.validates(step + 1)
        if validated:
            buffer.flush()
            validate()
            buffer.restart()
            if over():
                return state
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
