"""The rows of one study, selected by model and percentage; means over seeds, and differences against noise."""

import math
from collections.abc import Callable
from functools import cached_property

from seq2slim.evaluation.statistics import Noise, Spread, pooled_noise, spread

Value = str | Callable[[dict], float]
ONE_SEED = frozenset(("fig4_breakdown", "fig5_magnitude", "fig8_redundancy", "small_model", "storage", "full_size"))


class Rows:
    """Rows of one study; `of` selects by columns."""

    def __init__(self, rows: list[dict]):
        self.rows = sorted(rows, key=lambda row: (row["seed"], row["order"]))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def seeds(self) -> list[int]:
        """All seeds, ascending."""
        return sorted({row["seed"] for row in self.rows})

    def of(self, **columns) -> "Rows":
        """The rows with these values."""
        return Rows([row for row in self.rows if all(row.get(name) == value for name, value in columns.items())])

    def by_seed(self, value: Value, **columns) -> dict[int, float]:
        """Seed -> value (a column, or a function of a row) of the first row with these columns."""
        read = value if callable(value) else lambda row: row[value]
        return {row["seed"]: read(row) for row in reversed(self.of(**columns).rows)}

    def spread(self, value: Value, **columns) -> Spread | None:
        """Mean and deviation over seeds; None if there is no such row."""
        found = self.by_seed(value, **columns)
        return spread(list(found.values())) if found else None

    def percents(self, **columns) -> list[float]:
        """The percentages of the rows with these columns, ascending."""
        return sorted({row["percent"] for row in self.of(**columns).rows})

    def repeated(self, **columns) -> list[float]:
        """The percentages with the largest number of seeds; those with fewer are shown, but not judged."""
        seeds = {x: len({row["seed"] for row in self.of(percent=x, **columns).rows}) for x in self.percents(**columns)}
        return [x for x, count in seeds.items() if count == max(seeds.values())]

    def of_experiment(self, name: str) -> "Rows":
        """The rows of one experiment; only those of the first seed if it is an experiment of ONE_SEED."""
        found = self.of(experiment=name)
        return found.of(seed=found.seeds[0]) if name in ONE_SEED and len(found) else found

    def curve(self, value: Value, **columns) -> list[tuple[float, float, float]]:
        """(percent, mean, standard deviation or nan) over seeds of the rows with these columns, ascending."""
        return [(x, *self.spread(value, percent=x, **columns)[:2]) for x in self.percents(**columns)]

    def differences(self, value: Value, system: dict, baseline: dict) -> list[float]:
        """System - baseline for each seed that has both."""
        a, b = self.by_seed(value, **system), self.by_seed(value, **baseline)
        return [a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())]


NATS = 0.1  # noise above this decides nothing for a loss, as noise above 1 does for BLEU
BASELINE = {"model": "baseline", "percent": 0.0}
CONTROL = {"model": "control", "percent": 0.0}


def retrained(percent: float) -> dict:
    """Columns of the retrained model."""
    return {"model": "retrained", "percent": percent}


def valid_loss(row: dict) -> float:
    """Validation loss, nats per token, from the perplexity of a row."""
    return math.log(row["valid_perplexity"])


def train_loss(row: dict) -> float:
    """Loss on the sample of training pairs, nats per token."""
    return math.log(row["train_perplexity"])


def gap(row: dict) -> float:
    """Generalisation gap: validation loss - training loss, nats per token."""
    return valid_loss(row) - train_loss(row)


def noise(rows: Rows, value: Value = "beam_bleu") -> Noise | None:
    """Deviation over seeds of retrained - baseline and control - baseline, pooled over all percentages."""
    systems = [CONTROL, *(retrained(x) for x in rows.percents(model="retrained"))]
    return pooled_noise([rows.differences(value, system, BASELINE) for system in systems])


class Difference:
    """The mean over seeds of a difference, and whether it exceeds the noise (`statistics.Noise`, 95%).

    Within noise it is neither above nor below a bound. Where the noise is wider than `resolution`, the answer there is
    None. Where the noise is unknown, as no row has two seeds, `resolution` takes its place and the answer is None too.
    """

    def __init__(self, values: list[float], noise: Noise | None, resolution: float = 1.0):
        self.seeds = len(values)
        self.mean = sum(values) / len(values)
        self.width = noise.of(len(values)) if noise else None
        self._margin = resolution if self.width is None else self.width
        self._decides = self.width is not None and self.width <= resolution

    def above(self, bound: float = 0.0) -> bool | None:
        """Whether it is above `bound` by more than noise."""
        if self.mean - self._margin > bound:
            return True
        return False if self._decides or self.mean + self._margin < bound else None

    def below(self, bound: float = 0.0) -> bool | None:
        """Whether it is below `bound` by more than noise."""
        if self.mean + self._margin < bound:
            return True
        return False if self._decides or self.mean - self._margin > bound else None

    def not_below(self, bound: float = 0.0) -> bool | None:
        """Whether it is at least `bound`, or below it only by noise; None where `below` is None."""
        found = self.below(bound)
        return None if found is None else not found

    @cached_property
    def is_noise(self) -> bool:
        """Whether the mean is within the noise; False where the noise is unknown."""
        return self.width is not None and abs(self.mean) < self.width

    def __str__(self) -> str:
        return f"{self.mean:+.2f}" + (" (noise)" if self.is_noise else "")


def difference(rows: Rows, system: dict, baseline: dict, value: Value = "beam_bleu") -> Difference | None:
    """System - baseline over the seeds that have both; None if no seed has."""
    values = rows.differences(value, system, baseline)
    return Difference(values, noise(rows, value), 1.0 if value == "beam_bleu" else NATS) if values else None


def better_dense(rows: Rows) -> str | None:
    """ "baseline" or "control", whichever has the higher mean BLEU; None if one has no row."""
    levels = {name: rows.spread("beam_bleu", model=name, percent=0.0) for name in ("baseline", "control")}
    return max(levels, key=lambda name: levels[name].mean) if all(levels.values()) else None


def mean_and_deviation(found: Spread | None, digits: int = 2) -> str:
    """ "36.12 ± 0.20"; without the deviation for one seed; "-" for None."""
    if found is None:
        return "-"
    return f"{found.mean:.{digits}f}" + ("" if math.isnan(found.deviation) else f" ± {found.deviation:.{digits}f}")
