"""Schedules: how much is pruned at which step. Pure functions from a step (int) to a sparsity (float), on the host.

`one_shot`, `iterative` and `gradual` each return such a function. A training loop prunes to `schedule(step)` whenever
`is_due(schedule, step)`. Sparsity never falls.
"""

from collections.abc import Callable

Schedule = Callable[[int], float]


def one_shot(sparsity: float, step: int = 0) -> Schedule:
    """0 before `step`, `sparsity` from `step` on (See et al. 2016, sec. 3).

    Raises: ValueError if sparsity is outside [0, 1] or step is negative.

    >>> schedule = pruning.one_shot(0.8, step=100)
    >>> schedule(99), schedule(100)
    (0.0, 0.8)
    """
    _check(sparsity=sparsity, step=step)
    return lambda t: sparsity if t >= step else 0.0


def iterative(sparsity: float, rounds: int, every: int, start: int = 0) -> Schedule:
    """`rounds` prunings, the first at `start`, `every` steps apart; each prunes the same fraction of what is left.

    After round r: 1 - (1 - sparsity)^(r / rounds), as in Frankle and Carbin (2019). A sparsity of 1 is reached in round
    1.

    Args:
      sparsity: after the last round, in [0, 1].
      rounds, every: positive ints; `every` in steps.
      start: step of the first round.
    Raises: ValueError for an argument outside its range.

    >>> schedule = pruning.iterative(0.75, rounds=2, every=100)
    >>> [schedule(step) for step in (0, 99, 100, 200)]
    [0.5, 0.5, 0.75, 0.75]
    """
    _check(sparsity=sparsity, step=start, rounds=rounds, every=every)

    def schedule(t):
        done = min(max((t - start) // every + 1, 0), rounds)
        return sparsity if done == rounds else 1 - (1 - sparsity) ** (done / rounds)

    return schedule


def gradual(sparsity: float, start: int, stop: int, every: int = 1, initial: float = 0.0) -> Schedule:
    """The cubic ramp of Zhu and Gupta (2017): s_f + (s_i - s_f) (1 - (t - t_0) / (t_n - t_0))^3 from t_0 to t_n.

    Args:
      sparsity: s_f, from `stop` on, in [0, 1].
      start, stop: t_0 < t_n, in steps; 0 before `start`.
      every: steps between two prunings; in between the sparsity is constant.
      initial: s_i, at `start`, in [0, sparsity].
    Raises: ValueError for an argument outside its range.

    >>> schedule = pruning.gradual(0.5, start=100, stop=300, every=100)
    >>> [schedule(step) for step in (0, 100, 200, 299, 300)]
    [0.0, 0.0, 0.4375, 0.4375, 0.5]
    """
    _check(sparsity=sparsity, initial=initial, step=start, every=every)
    if stop <= start:
        raise ValueError(f"stop must be after start, step {start}; got {stop}")
    if initial > sparsity:
        raise ValueError(f"initial must not exceed sparsity, {sparsity}; got {initial}")

    def schedule(t):
        if t < start:
            return 0.0
        if t >= stop:
            return sparsity
        t -= (t - start) % every
        return sparsity + (initial - sparsity) * (1 - (t - start) / (stop - start)) ** 3

    return schedule


def is_due(schedule: Schedule, step: int, initial: float = 0.0) -> bool:
    """Whether `schedule` is higher at `step` than at the step before; at step 0, whether it is above `initial`.

    Args: initial: sparsity of the masks before the first step, in [0, 1].

    >>> schedule = pruning.iterative(0.75, rounds=2, every=100)
    >>> [step for step in range(1000) if pruning.is_due(schedule, step)]
    [0, 100]
    """
    return schedule(step) > (schedule(step - 1) if step > 0 else initial)


def _check(step, rounds=1, every=1, **sparsities):
    for name, value in sparsities.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is the fraction pruned, in [0, 1]; got {value}")
    if step < 0:
        raise ValueError(f"the first step must not be negative; got {step}")
    for name, value in (("rounds", rounds), ("every", every)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1; got {value}")
