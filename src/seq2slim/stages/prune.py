"""Pruning of a trained model, once, by a scheme of `pruning.SCHEMES`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jax

from seq2slim import pruning
from seq2slim.errors import UserError
from seq2slim.inference.model_files import Model, load_model, save_model
from seq2slim.models import weight_classes
from seq2slim.pruning import SCHEMES
from seq2slim.runs.stage import Stage, run_name
from seq2slim.stages.text import Text


@dataclass(frozen=True)
class Prune(Stage):
    """The parent's model with its smallest weights set to zero.

    Attributes:
      parent: Train or Retrain.
      scheme: which weights are pruned, a name in `pruning.SCHEMES`; `random` draws them by the parent's seed.
      sparsity: fraction pruned, in [0, 1].
      only: prune this weight class alone, as much of it as the scheme does ("" prunes all; See et al. 2016, fig. 4).
      shuffled: prune as many weights of each class as the scheme does, at places drawn by the parent's seed.
    """

    kind: ClassVar[str] = "prune"
    parent: Stage
    scheme: pruning.SchemeName = "class_blind"
    sparsity: float = 0.8
    only: str = ""
    shuffled: bool = False

    @property
    def text(self) -> Text:
        """The text that the parent was trained on."""
        return self.parent.text

    @property
    def seed(self) -> int:
        """The parent's seed."""
        return self.parent.seed

    def __post_init__(self):
        if self.scheme not in SCHEMES:
            raise UserError(f"scheme must be one of {sorted(SCHEMES)}, got {self.scheme!r}")
        if not 0 <= self.sparsity <= 1:
            raise UserError(f"sparsity is a fraction in [0, 1], got {self.sparsity}")

    def describe(self) -> str:
        what = f"{100 * self.sparsity:g}% {self.scheme}{', shuffled' if self.shuffled else ''}"
        return f"{what}{f', {self.only} alone' if self.only else ''} of {run_name(self.parent)}"

    def run(self, run_dir: Path, context) -> dict:
        model = load_model(context.run_dir(self.parent), context.say)
        classes = pruning.classes_by_rules(model.params, weight_classes(model.config))
        masks = self.choose(model, classes)
        report = pruning.summary(model.params, masks, classes=classes)
        context.say(str(report))
        pruned = model._replace(params=pruning.apply_masks(model.params, masks), masks=masks)
        save_model(run_dir, pruned, context.run_dir(self.text))
        return {"classes": [row._asdict() for row in report.rows]}

    def choose(self, model: Model, classes):
        """Masks of the parent's model.

        Raises: UserError if its weights cannot be pruned (one is NaN, say), or it has no class `only`.
        """
        key = jax.random.fold_in(jax.random.key(self.seed), 2)  # training folds in 0 and 1
        scheme = SCHEMES[self.scheme]
        try:
            chosen = scheme(model.params, self.sparsity, classes=classes, masks=model.masks, key=key)
        except ValueError as error:
            raise UserError(f"{run_name(self.parent)} cannot be pruned by {self.scheme}: {error}") from error
        if self.shuffled:
            chosen = pruning.shuffled_within_class(chosen, key, classes=classes)
        if not self.only:
            return chosen
        if self.only not in (names := set(jax.tree.leaves(classes)) - {pruning.NEVER_PRUNED}):
            raise UserError(f"only must be one of {sorted(names)}, got {self.only!r}")
        before = pruning.all_true(model.params, classes) if model.masks is None else model.masks
        return jax.tree.map(lambda name, new, old: new if name == self.only else old, classes, chosen, before)
