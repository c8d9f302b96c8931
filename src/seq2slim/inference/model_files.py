"""A trained model in its run directory: parameters, masks, configuration, vocabularies."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from seq2slim import pruning
from seq2slim.errors import Damaged, UserError
from seq2slim.files import write_atomically
from seq2slim.models import Seq2Seq, Seq2SeqConfig, param_shapes, weight_classes
from seq2slim.runs.done import DONE
from seq2slim.tasks import DEFAULT, task_named
from seq2slim.training.checkpoints import CheckpointError, Checkpoints

MODEL, MODEL_CONFIG = "model", "model.json"
_VOCABULARIES = "*.vocabulary"


class Model(NamedTuple):
    """A trained model.

    Attributes:
      config: the architecture.
      params: its parameters.
      masks: those of a pruned model, None for a dense one.
      reverse_source: whether the encoder reads the source backwards.
      task: what it has learnt, a name in `tasks.TASKS`.
    """

    config: Seq2SeqConfig
    params: Any
    masks: Any
    reverse_source: bool
    task: str = DEFAULT

    @property
    def module(self) -> Seq2Seq:
        """The flax module that applies the parameters."""
        return Seq2Seq(self.config)


def save_model(run_dir: Path, model: Model, text_dir: Path):
    """Writes a model into its stage's run directory, with copies of the vocabularies of `text_dir`."""
    (run_dir / MODEL_CONFIG).unlink(missing_ok=True)
    for path in text_dir.glob(_VOCABULARIES):
        write_atomically(run_dir / path.name, path.read_bytes())
    items = {"params": model.params} | ({} if model.masks is None else {"masks": model.masks})
    Checkpoints(run_dir / MODEL, keep=1).save(0, items)
    facts = {"config": dataclasses.asdict(model.config), "reverse_source": model.reverse_source}
    facts |= {} if model.task == DEFAULT else {"task": model.task}
    write_atomically(run_dir / MODEL_CONFIG, json.dumps(facts, indent=1) + "\n")  # last: the model is then complete


def load_config(run_dir: Path) -> Seq2SeqConfig:
    """The architecture of the model that `save_model` wrote. Raises: as `load_model`."""
    return _facts(run_dir).config


def load_model(run_dir: Path, report: Callable[[str], None] = print, text_dir: Path | None = None) -> Model:
    """The model that `save_model` wrote.

    Args:
      run_dir: of the stage that made the model.
      report: called with one line about what is damaged.
      text_dir: of the tokenised text that the model will read; None for text that its own vocabularies encode.
    Raises: UserError if there is no model, or its vocabularies differ from those of the text; `Damaged` if its files
      have changed.
    """
    model = _facts(run_dir)
    for path in () if text_dir is None else sorted(text_dir.glob(_VOCABULARIES)):
        if (run_dir / path.name).read_bytes() != path.read_bytes():
            raise UserError(
                f"the {path.stem} vocabulary of {text_dir.name} is not that of {run_dir.name}: the same id would be "
                "another word; take a text with the vocabularies that the model was trained with"
            )
    shapes = param_shapes(model.config)
    saves = Checkpoints(run_dir / MODEL, report=report)
    items = {"params": shapes}
    if "masks" in saves.items():
        prunable = pruning.classes_by_rules(shapes, weight_classes(model.config))
        items["masks"] = jax.eval_shape(lambda: pruning.all_true(shapes, prunable))
    try:
        found = saves.restore(items)
    except CheckpointError as error:
        raise _damaged(run_dir, str(error)) from None
    if found is None:
        raise _damaged(run_dir, "it has no valid checkpoint")
    return model._replace(params=found[1]["params"], masks=found[1].get("masks"))


def _facts(run_dir: Path) -> Model:
    """The model without parameters and masks. Raises: as `load_model`."""
    if not (run_dir / MODEL_CONFIG).is_file():
        raise UserError(f"{run_dir} holds no model: {MODEL_CONFIG} is missing")
    try:
        facts = json.loads((run_dir / MODEL_CONFIG).read_text())
        found = Model(Seq2SeqConfig(**facts["config"]), None, None, facts["reverse_source"], facts.get("task", DEFAULT))
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(run_dir, f"{MODEL_CONFIG}: {error}") from None
    task_named(found.task)
    return found


def _damaged(run_dir: Path, why: str) -> Damaged:
    return Damaged(
        run_dir,
        f"the model in {run_dir} is damaged ({why}): remove {run_dir / DONE} and run its experiment again, which "
        "makes it from the last checkpoint",
    )
