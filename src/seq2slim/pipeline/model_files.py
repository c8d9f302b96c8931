"""A trained model on disk, complete in one folder: parameters, masks, configuration, vocabularies."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax

from seq2slim import pruning
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params
from seq2slim.pipeline.results import write_atomically
from seq2slim.training.checkpoints import Checkpoints

MODEL, CONFIG = "model", "model.json"


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
    for path in text_home.glob("*.vocabulary"):
        shutil.copyfile(path, home / path.name)
    facts = {"config": dataclasses.asdict(model.config), "reverse_source": model.reverse_source}
    write_atomically(home / CONFIG, json.dumps(facts, indent=1) + "\n")
    masks = pruning.all_true(model.params) if model.masks is None else model.masks
    Checkpoints(home / MODEL, keep=1).save(0, {"params": model.params, "masks": masks})


def load_model(home: Path) -> Model:
    """The model that `save_model` wrote. Raises: ValueError if it is damaged or not there."""
    if not (home / CONFIG).is_file():
        raise ValueError(f"{home} holds no model: {CONFIG} is missing")
    facts = json.loads((home / CONFIG).read_text())
    config = Seq2SeqConfig(**facts["config"])
    shapes = jax.eval_shape(lambda key: init_params(config, key), jax.random.key(0))
    saves = Checkpoints(home / MODEL)
    found = saves.restore({"params": shapes})
    masks = saves.restore_item("masks")
    if found is None or masks is None:
        raise ValueError(f"the model in {home} is damaged: delete the folder and run the experiment again")
    pruned = masks[1] if pruning.count(masks[1]).sparsity else None
    return Model(config, found[1]["params"], pruned, facts["reverse_source"])
