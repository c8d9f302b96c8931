"""How a model is trained: one frozen dataclass per concept."""

import math
from dataclasses import dataclass, field, fields
from typing import Literal, get_args, get_origin

from seq2slim.errors import UserError
from seq2slim.pruning import SchemeName


def _positive(owner, *names):
    for name in names:
        if not 0 < getattr(owner, name) < math.inf:
            raise UserError(f"{name} must be a positive number, got {getattr(owner, name)}")


def _not_negative(owner, *names):
    for name in names:
        if not 0 <= getattr(owner, name) < math.inf:
            raise UserError(f"{name} must be a number, 0 or more; got {getattr(owner, name)}")


def _known(owner):
    """Checks that every `Literal` field holds one of its choices: a mistyped one could silently act as another."""
    for option in fields(owner):
        value = getattr(owner, option.name)
        if get_origin(option.type) is Literal and value not in (choices := get_args(option.type)):
            raise UserError(f"{option.name} must be one of {', '.join(map(repr, choices))}; got {value!r}")


@dataclass(frozen=True)
class ScheduleConfig:
    """Learning rate over time, in epochs (fractions allowed).

    Attributes:
      kind: `halving` (constant, then halved: the papers'), `cosine` (linear warm-up, then a cosine to zero), or
        `constant`.
      halve_after: epochs at the full rate (halving).
      halve_every: epochs between halvings (halving).
      timing: whether the first halving comes at `halve_after` (the papers' prose) or one `halve_every` later (Luong's
        code).
      warmup: epochs of linear rise from zero (cosine).
    """

    kind: Literal["constant", "halving", "cosine"] = "cosine"
    halve_after: float = 8
    halve_every: float = 1
    timing: Literal["prose", "code"] = "prose"
    warmup: float = 0.5

    def __post_init__(self):
        _known(self)
        _positive(self, "halve_every")
        _not_negative(self, "halve_after", "warmup")


@dataclass(frozen=True)
class OptimizerConfig:
    """The update rule.

    Attributes:
      name: `adagrad` starts its accumulators at zero with eps 1e-10, as the papers do (not as optax does).
      learning_rate: the highest of the schedule.
      clip_norm: the gradient is rescaled to this global norm if it exceeds it; 0: never.
      normalise: the summed token losses are divided by the number of sentences (Luong et al.) or of target tokens.
      weight_decay: each step subtracts weight_decay * rate * W from every matrix W (Loshchilov & Hutter 2019); the
        papers use none. It keeps weights that the loss does not need near zero, where magnitude pruning finds them.
      second_moment: decay of Adam's mean of squared gradients. A single gradient among zeros, the usual case for the
        embedding row of a rare word, moves a weight by about rate / sqrt(1 - second_moment) in all: 32 times the rate
        at 0.999, 8 times at 0.98. A lower decay keeps the rows of rare words small.
    """

    name: Literal["sgd", "adam", "adagrad"] = "adam"
    learning_rate: float = 2e-3
    clip_norm: float = 5.0
    normalise: Literal["sentence", "token"] = "token"
    weight_decay: float = 0.0
    second_moment: float = 0.999

    def __post_init__(self):
        _known(self)
        _positive(self, "learning_rate")
        if not 0 < self.second_moment < 1:
            raise UserError(f"second_moment must be in (0, 1), got {self.second_moment}")
        _not_negative(self, "clip_norm", "weight_decay")


@dataclass(frozen=True)
class PruningConfig:
    """Pruning on the way: masks that change while a model is trained. Times are fractions of all steps of the run.

    Attributes:
      schedule: `none`; `one_shot`: once, at `start`; `iterative`: in `rounds` at equal distances from `start` to
        `stop`, each of which prunes the same fraction of what is left; `gradual`: the cubic ramp of Zhu & Gupta (2017)
        from `start` to `stop`.
      scheme: which weights are pruned, a name in `pruning.SCHEMES`.
      sparsity: after the last pruning, in (0, 1).
      start, stop: when the first and the last of `rounds` come (in whole steps, so the last one may come a few steps
        earlier), or the ramp begins and ends.
      rounds: prunings of `iterative`.
      every: steps between two prunings of `gradual`; fewer where the ramp would have less than ten.

    Validations before the last pruning are never the best, and never end the run.
    """

    schedule: Literal["none", "one_shot", "iterative", "gradual"] = "none"
    scheme: SchemeName = "class_blind"
    sparsity: float = 0.8
    start: float = 0.15
    stop: float = 0.6
    rounds: int = 4
    every: int = 50

    def __post_init__(self):
        _known(self)
        _positive(self, "rounds", "every")
        if not 0 < self.sparsity < 1:
            raise UserError(f"sparsity on the way is a fraction in (0, 1), got {self.sparsity}")
        if not 0 <= self.start <= self.stop < 1:
            raise UserError(
                f"start and stop of a pruning are fractions of all steps, 0 <= start <= stop < 1; "
                f"got {self.start} and {self.stop}"
            )


@dataclass(frozen=True)
class TrainingConfig:
    """A whole training run.

    Attributes:
      epochs: passes over the corpus, a fraction allowed.
      max_steps: upper limit on the number of steps; 0: no limit.
      batch_size: sentence pairs whose gradient is computed at once.
      accumulate: gradients of so many batches are summed before each step: one step then sees `accumulate * batch_size`
        sentence pairs, in the memory of `batch_size`.
      shapes: upper limit on the number of padded batch shapes. Each is compiled once; fewer shapes pad more.
      label_smoothing: e of `losses.cross_entropy`.
      dropout_scale: factor on the model's dropout rates in this training.
      dropout_by_density: whether a pruned model's dropout rates are multiplied by sqrt(density): fewer weights
        co-adapt less (Han et al. 2015, sec. 3.2). Under a pruning schedule they follow the current density.
      average_decay: decay of the exponential moving average of the parameters; the average is then what is evaluated
        and kept. 0: no average.
      evaluations_per_epoch: validations (and checkpoints) per epoch, evenly spaced.
      metric: what validations are compared by: `valid_loss`, or `valid_` and the name of a score of the task
        (`valid_bleu` of a translation).
      keep: the parameters of the best validation (`best`), or of the last step (`last`).
      patience: the run stops after this many validations in a row that are not the best; 0: it never stops early.
      pruning: masks that change during the run.
      objective: what is minimised, a name in `training.objectives.OBJECTIVES`.
    """

    epochs: float = 12
    max_steps: int = 0
    batch_size: int = 64
    shapes: int = 8
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    label_smoothing: float = 0.0
    dropout_scale: float = 1.0
    dropout_by_density: bool = False
    average_decay: float = 0.0
    evaluations_per_epoch: int = 1
    metric: str = "valid_loss"
    keep: Literal["best", "last"] = "best"
    patience: int = 0
    accumulate: int = 1
    pruning: PruningConfig = PruningConfig()
    objective: str = "nll"

    def __post_init__(self):
        _known(self)
        _positive(self, "epochs", "batch_size", "accumulate", "shapes", "evaluations_per_epoch")
        _not_negative(self, "max_steps", "patience", "dropout_scale")
        for name in ("label_smoothing", "average_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} must be in [0, 1), got {getattr(self, name)}")

    @property
    def rows(self) -> int:
        """Sentence pairs per step."""
        return self.accumulate * self.batch_size


def total_steps(config: TrainingConfig, steps_per_epoch: int) -> int:
    """Steps of a whole run: `epochs`, or `max_steps` if that is less."""
    steps = max(1, round(config.epochs * steps_per_epoch))
    return min(steps, config.max_steps) if config.max_steps else steps


@dataclass(frozen=True)
class WordDistillationConfig:
    """Weight and temperature of word-level distillation (Kim & Rush 2016, sec. 3.1).

    Attributes:
      alpha: weight of the cross-entropy with the teacher's distribution, in [0, 1]; the NLL's weight is 1 - alpha.
      temperature: of the teacher's and the student's distribution in that cross-entropy; 1 in the paper.
    """

    alpha: float = 0.5
    temperature: float = 1.0

    def __post_init__(self):
        if not 0 <= self.alpha <= 1:
            raise UserError(f"alpha must be in [0, 1], got {self.alpha}")
        _positive(self, "temperature")
