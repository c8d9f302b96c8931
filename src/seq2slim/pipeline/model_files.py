"""A trained model on disk, complete in one folder: parameters, masks, configuration, vocabularies."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from seq2slim import pruning
from seq2slim.files import write_atomically
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params, weight_classes
from seq2slim.pipeline.done import DONE, Damaged
from seq2slim.training.checkpoints import CheckpointError, Checkpoints

MODEL, CONFIG = "model", "model.json"
_VOCABULARIES = "*.vocabulary"


class Model(NamedTuple):
    """Parameters and masks (None for a dense model), what they belong to, and how the source is read."""

    config: Seq2SeqConfig
    params: Any
    masks: Any
    reverse_source: bool

    @property
    def module(self) -> Seq2Seq:
        """The flax module that applies the parameters."""
        return Seq2Seq(self.config)


def save_model(home: Path, model: Model, text_home: Path):
    """Writes a model into its stage's home, with copies of the vocabularies of `text_home`."""
    (home / CONFIG).unlink(missing_ok=True)
    for path in text_home.glob(_VOCABULARIES):
        write_atomically(home / path.name, path.read_bytes())
    items = {"params": model.params} | ({} if model.masks is None else {"masks": model.masks})
    Checkpoints(home / MODEL, keep=1).save(0, items)
    facts = {"config": dataclasses.asdict(model.config), "reverse_source": model.reverse_source}
    write_atomically(home / CONFIG, json.dumps(facts, indent=1) + "\n")  # last: where it is, there is a whole model


def load_config(home: Path) -> Seq2SeqConfig:
    """The architecture of the model that `save_model` wrote. Raises: as `load_model`."""
    return _facts(home)[0]


def load_model(home: Path, report: Callable[[str], None] = print, text_home: Path | None = None) -> Model:
    """The model that `save_model` wrote.

    Args:
      home: of the stage that made it.
      report: told in one line what is damaged.
      text_home: of the text it is about to read; None for a text that its own vocabularies will encode.
    Raises: ValueError if it is not there, or its vocabularies are not those of the text; `Damaged` if it is not as it
      was written.
    """
    config, reverse_source = _facts(home)
    for path in () if text_home is None else sorted(text_home.glob(_VOCABULARIES)):
        if (home / path.name).read_bytes() != path.read_bytes():
            raise ValueError(
                f"the {path.stem} vocabulary of {text_home.name} is not that of {home.name}: the same id would be "
                "another word; take a text with the vocabularies that the model was trained with"
            )
    shapes = jax.eval_shape(lambda key: init_params(config, key), jax.random.key(0))
    saves = Checkpoints(home / MODEL, report=report)
    items = {"params": shapes}
    if "masks" in saves.items():
        prunable = pruning.classes_by_rules(shapes, weight_classes(config))
        items["masks"] = jax.eval_shape(lambda: pruning.all_true(shapes, prunable))
    try:
        found = saves.restore(items)
    except CheckpointError as error:
        raise _damaged(home, str(error)) from None
    if found is None:
        raise _damaged(home, "no save of it is whole")
    return Model(config, found[1]["params"], found[1].get("masks"), reverse_source)


def _facts(home: Path) -> tuple[Seq2SeqConfig, bool]:
    """Architecture, and whether the source is read backwards."""
    if not (home / CONFIG).is_file():
        raise ValueError(f"{home} holds no model: {CONFIG} is missing")
    try:
        facts = json.loads((home / CONFIG).read_text())
        return Seq2SeqConfig(**facts["config"]), facts["reverse_source"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(home, f"{CONFIG}: {error}") from None


def _damaged(home: Path, why: str) -> Damaged:
    return Damaged(
        home,
        f"the model in {home} is damaged ({why}): remove {home / DONE} and run its experiment again, which makes it "
        "from the last save",
    )
