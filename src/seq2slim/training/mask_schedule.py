"""Masks that change during a training: when it is pruned, how much, and by which scheme."""

from collections.abc import Callable
from typing import Any, NamedTuple

from seq2slim import pruning
from seq2slim.errors import UserError
from seq2slim.pruning import SCHEMES
from seq2slim.training.config import PruningConfig
from seq2slim.training.state import TrainState


class MaskSchedule(NamedTuple):
    """When and how a run is pruned.

    sparsity: steps done -> fraction pruned before the next step.
    last: steps done at the last pruning.
    masks: (params, sparsity, earlier masks) -> masks, on the host.
    """

    sparsity: Callable[[int], float]
    last: int
    masks: Callable[[Any, float, Any], Any]

    def is_due(self, step: int) -> bool:
        """Whether the model is pruned when `step` steps are done, before the next one."""
        return pruning.is_due(self.sparsity, step)

    def prune(self, state: TrainState, masks) -> tuple[TrainState, Any]:
        """(state, masks) after the pruning that is due. A pure function of its arguments.

        Weights are ranked as they are, not by their moving average. What was pruned stays pruned.
        """
        masks = self.masks(state.params, self.sparsity(int(state.step)), masks)
        params = pruning.apply_masks(state.params, masks)
        average = None if state.average is None else pruning.apply_masks(state.average, masks)
        return state._replace(params=params, average=average), masks


def mask_schedule(config: PruningConfig, total_steps: int, classes=None, key=None) -> MaskSchedule | None:
    """The schedule of a run; None if it is not pruned on the way.

    Args:
      config: schedule, scheme, and times as fractions.
      total_steps: of the run. A time between two steps is rounded to the nearer step.
      classes, key: as the scheme takes them.
    Raises: UserError if the run is too short: its last pruning must come before its last step.
    """
    if config.schedule == "none":
        return None
    start, stop = round(config.start * total_steps), round(config.stop * total_steps)
    if config.schedule == "one_shot":
        sparsity, last = pruning.one_shot(config.sparsity, start), start
    elif config.schedule == "iterative":
        rounds = config.rounds
        every = max(1, (stop - start) // max(rounds - 1, 1))
        sparsity, last = pruning.iterative(config.sparsity, rounds, every, start), start + every * (rounds - 1)
    else:
        last = max(stop, start + 1)
        sparsity = pruning.gradual(config.sparsity, start, last, config.every)
    if last >= total_steps:
        raise UserError(
            f"a run of {total_steps} steps is too short to be pruned until step {last} ({config.schedule}) and trained "
            "after it: train longer, or prune earlier"
        )

    def masks(params, share: float, earlier):
        return SCHEMES[config.scheme](params, share, classes=classes, masks=earlier, key=key)

    return MaskSchedule(sparsity, last, masks)
