"""Masks that change during a training: when it is pruned, how much, and by which scheme."""

from collections.abc import Callable
from typing import Any, NamedTuple

from seq2slim import pruning
from seq2slim.errors import UserError
from seq2slim.pruning import SCHEMES
from seq2slim.training.config import PruningConfig
from seq2slim.training.state import TrainState

FEWEST = 10  # prunings in a ramp


class MaskSchedule(NamedTuple):
    """When and how a run is pruned.

    sparsity: steps done -> fraction pruned before the next step.
    last: steps done at the last pruning.
    masks: (params, sparsity, earlier masks) -> masks, on the host.
    initial: sparsity of the first masks.
    """

    sparsity: Callable[[int], float]
    last: int
    masks: Callable[[Any, float, Any], Any]
    initial: float = 0.0

    def is_due(self, step: int) -> bool:
        """Whether the model is pruned when `step` steps are done, before the next one."""
        return pruning.is_due(self.sparsity, step, self.initial)

    def prune(self, state: TrainState, masks) -> tuple[TrainState, Any]:
        """(state, masks) after the pruning that is due. A pure function of its arguments.

        Weights are ranked as they are, not by their moving average. What was pruned stays pruned.
        Raises: UserError if the scheme cannot prune them.
        """
        step = int(state.step)
        try:
            masks = self.masks(state.params, self.sparsity(step), masks)
        except ValueError as error:
            raise UserError(f"the model cannot be pruned after step {step}: {error}") from error
        params = pruning.apply_masks(state.params, masks)
        average = None if state.average is None else pruning.apply_masks(state.average, masks)
        return state._replace(params=params, average=average), masks


def mask_schedule(
    config: PruningConfig, total_steps: int, classes=None, key=None, initial: float = 0.0
) -> MaskSchedule | None:
    """The schedule of a run; None if it is not pruned on the way.

    Args:
      config: schedule, scheme, and times as fractions.
      total_steps: of the run. A time between two steps is rounded to the nearer step.
      classes, key: as the scheme takes them.
      initial: sparsity that the model starts with; it is pruned from there.
    Raises: UserError if the run is too short for its prunings (the last one comes before the last step), or if the
      model is as sparse already.
    """
    if config.schedule == "none":
        return None
    if initial >= config.sparsity:
        raise UserError(f"a model pruned {initial:.1%} cannot be pruned on the way to {config.sparsity:.1%}")
    start, stop = round(config.start * total_steps), round(config.stop * total_steps)
    if config.schedule == "one_shot":
        sparsity, last = pruning.one_shot(config.sparsity, start), start
    elif config.schedule == "iterative":
        sparsity, last = _rounds(config, start, stop, initial)
    else:
        last = max(stop, start + 1)
        every = max(1, min(config.every, (last - start) // FEWEST))
        sparsity = pruning.gradual(config.sparsity, start, last, every, initial)
    if last >= total_steps:
        raise UserError(
            f"a run of {total_steps} steps is too short to be pruned until step {last} ({config.schedule}) and trained "
            "after it: train longer, or prune earlier"
        )

    def masks(params, share: float, earlier):
        return SCHEMES[config.scheme](params, share, classes=classes, masks=earlier, key=key)

    return MaskSchedule(lambda step: max(initial, sparsity(step)), last, masks, initial)


def _rounds(config: PruningConfig, start: int, stop: int, initial: float) -> tuple[Callable[[int], float], int]:
    """(schedule, its last step) of prunings that each take the same fraction of what is left."""
    if config.rounds - 1 > stop - start:
        raise UserError(f"{config.rounds} rounds of pruning do not fit between the steps {start} and {stop}")
    every = max(1, (stop - start) // max(config.rounds - 1, 1))
    goal = 1 - (1 - config.sparsity) / (1 - initial)  # of what the model starts with
    share = pruning.iterative(goal, config.rounds, every, start)

    def sparsity(step: int) -> float:
        done = share(step)
        if done in (0.0, goal):  # exactly, where the product below is off by a rounding
            return config.sparsity if done else initial
        return 1 - (1 - initial) * (1 - done)

    return sparsity, start + every * (config.rounds - 1)
