"""Pruning a trained model once, by one of the schemes of See et al. 2016."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from seq2slim import pruning
from seq2slim.models import weight_classes
from seq2slim.pipeline.model_files import load_model, save_model
from seq2slim.pipeline.stage import Stage, home_name
from seq2slim.pipeline.stages.text import Text

SCHEMES = {
    "class_blind": pruning.class_blind,
    "class_uniform": pruning.class_uniform,
    "class_distribution": pruning.class_distribution,
}


@dataclass(frozen=True)
class Prune(Stage):
    """The parent's model with its smallest weights at zero.

    Attributes:
      parent: Train or Retrain.
      scheme: how sparsity is shared among the weight classes.
      sparsity: fraction pruned, in [0, 1].
    """

    kind: ClassVar[str] = "prune"
    parent: Stage
    scheme: Literal["class_blind", "class_uniform", "class_distribution"] = "class_blind"
    sparsity: float = 0.8

    @property
    def text(self) -> Text:
        """What the parent learnt from."""
        return self.parent.text

    @property
    def seed(self) -> int:
        """The parent's."""
        return self.parent.seed

    def __post_init__(self):
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme must be one of {sorted(SCHEMES)}, got {self.scheme!r}")
        if not 0 <= self.sparsity <= 1:
            raise ValueError(f"sparsity is a fraction in [0, 1], got {self.sparsity}")

    def describe(self) -> str:
        return f"{self.sparsity:.0%} {self.scheme} of {home_name(self.parent)}"

    def run(self, home: Path, context) -> dict:
        model = load_model(context.home(self.parent), context.console.say)
        classes = pruning.classes_by_rules(model.params, weight_classes(model.config))
        masks = SCHEMES[self.scheme](model.params, sparsity=self.sparsity, classes=classes, masks=model.masks)
        report = pruning.summary(model.params, masks, classes=classes)
        context.console.say(str(report))
        pruned = model._replace(params=pruning.apply_masks(model.params, masks), masks=masks)
        save_model(home, pruned, context.home(self.text))
        return {"classes": [row._asdict() for row in report.rows]}
