"""A trained model as one sparse file: configuration, parameters, masks and vocabularies.

Its metadata are the files of the run directory (`inference.model_files`), byte for byte; parameters and masks are the
leaves of `storage`.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim import pruning, storage
from seq2slim.data.vocabulary import Vocabulary
from seq2slim.errors import UserError, nearest
from seq2slim.inference.model_files import MODEL_CONFIG, Model, load_model
from seq2slim.inference.text_files import SOURCE_VOCABULARY, TARGET_VOCABULARY
from seq2slim.models import Seq2SeqConfig, param_shapes, weight_classes
from seq2slim.storage import LIMIT_BYTES, ModelFileError
from seq2slim.storage.container import parsed_json
from seq2slim.storage.description import ARRAY, SCALAR, Description
from seq2slim.tasks import DEFAULT, TASKS

FILES = (MODEL_CONFIG, SOURCE_VOCABULARY, TARGET_VOCABULARY)
_SLACK = 1 << 22  # bytes of vocabularies allowed in the smallest file: refusing a file takes twice its size + 16 MB


class WholeModel(NamedTuple):
    """A model and the vocabularies of both sides."""

    model: Model
    source: Vocabulary
    target: Vocabulary


def export(run_dir: Path, path: Path, codec: str = "float32", report: Callable[[str], None] = print) -> int:
    """Writes the model of a finished stage as one file.

    Args:
      run_dir: of the stage that made the model. path: of the file. codec: a key of `storage.CODECS`.
      report: called with one line about what is damaged.
    Returns: bytes of the file.
    Raises: UserError if there is no model, it is damaged, its values are too large for the codec, or its vocabularies
      are larger than a reader accepts beside so few weights.
    """
    model = load_model(run_dir, report)
    missing = [name for name in FILES if not (run_dir / name).is_file()]
    if missing:
        raise UserError(f"{run_dir} holds no complete model: {missing[0]} is missing")
    files = {name: (run_dir / name).read_bytes() for name in FILES}
    size = storage.write(path, model.params, model.masks, codec, files)
    if (content := sum(map(len, files.values()))) > _room(size):
        path.unlink()
        raise UserError(f"vocabularies of {content:,} bytes are too large for a model file of {size:,}")
    return size


def load_model_file(path: Path, limit_bytes: int = LIMIT_BYTES) -> WholeModel:
    """The model that `export` wrote; equal to that of `model_files.load_model` if the codec is lossless.

    Args: limit_bytes: as in `storage.read`.
    Raises: ModelFileError if the file is damaged, hostile, too large or not a model of this project; OSError if it
      cannot be read.
    """
    file = storage.ModelFile(path, limit_bytes)
    try:
        _check_blobs(file.description, path.stat().st_size)
        files = file.metadata()
        model = _model(files[MODEL_CONFIG], len(file.description.leaves))
        _check_leaves(model.config, file.description)
        sides = [
            _vocabulary(files[name], name, size)
            for name, size in (
                (SOURCE_VOCABULARY, model.config.source_vocabulary),
                (TARGET_VOCABULARY, model.config.target_vocabulary),
            )
        ]
    except ModelFileError as error:
        raise ModelFileError(str(error) if str(error).startswith(f"{path}: ") else f"{path}: {error}") from None
    params, masks = file.arrays()
    return WholeModel(model._replace(params=_on_device(params), masks=_on_device(masks)), *sides)


def _check_blobs(description: Description, size: int):
    """Raises: ModelFileError for other files than those of a model, or too large ones for a file of `size` bytes."""
    if set(description.blobs) != set(FILES):
        held = ", ".join(sorted(description.blobs)) or "no files"
        raise ModelFileError(f"it holds {held:.200} instead of {', '.join(FILES)}")
    if (content := sum(lengths[0] for lengths in description.blobs.values())) > _room(size):
        raise ModelFileError(f"its vocabularies would take {content:,} bytes, too many for a file of {size:,}")


def _room(size: int) -> int:
    """Most bytes of vocabularies and configuration accepted in a model file of `size` bytes."""
    return _SLACK + size // 4


def _model(content: bytes, leaves: int) -> Model:
    """The model without parameters and masks, with types checked, and at most as many layers as leaves."""
    facts = parsed_json(content.decode("utf-8", "replace"), MODEL_CONFIG, fractions=True)
    fields = {field.name: field.type for field in dataclasses.fields(Seq2SeqConfig)}
    config = facts.get("config")
    known = set(facts) - {"task"} == {"config", "reverse_source"}
    if not known or not isinstance(config, dict) or not set(config) <= set(fields):
        raise ModelFileError(f"{MODEL_CONFIG} has other fields than those of a model")
    for name, value in config.items():
        allowed = {int: (int,), float: (int, float), bool: (bool,)}.get(fields[name], (str, type(None)))
        if type(value) not in allowed:
            raise ModelFileError(f"{name} in {MODEL_CONFIG} is {value!r:.40}, of the wrong type")
    try:
        found = Seq2SeqConfig(**config)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{MODEL_CONFIG}: {error}") from None
    if found.layers > leaves:
        raise ModelFileError(f"{MODEL_CONFIG} claims {found.layers} layers; the file has {leaves} leaves")
    if type(facts["reverse_source"]) is not bool:
        raise ModelFileError(f"reverse_source in {MODEL_CONFIG} is neither true nor false")
    task = facts.get("task", DEFAULT)
    if type(task) is not str or task not in TASKS:
        raise ModelFileError(f"the task in {MODEL_CONFIG} is {task!r:.40}; {nearest(str(task)[:40], TASKS)}")
    return Model(found, None, None, facts["reverse_source"], task)


def _check_leaves(config: Seq2SeqConfig, description: Description):
    """Raises: ModelFileError if parameters or masks do not fit the configuration."""
    try:
        shapes = param_shapes(config)
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{MODEL_CONFIG} describes no model that can be built ({type(error).__name__})") from None
    if _shapes(shapes) != {path: entry.shape for path, entry in description.leaves.items()}:
        raise ModelFileError(f"its parameters are not those of its {MODEL_CONFIG}")
    if not description.masked:
        return
    prunable = pruning.classes_by_rules(shapes, weight_classes(config))
    masks = _shapes(jax.eval_shape(lambda: pruning.all_true(shapes, prunable)))
    kinds = {path: ARRAY if shape else SCALAR for path, shape in masks.items()}
    if kinds != {path: entry.mask for path, entry in description.leaves.items()}:
        raise ModelFileError(f"its masks are not those of its {MODEL_CONFIG}")


def _shapes(tree) -> dict[str, tuple[int, ...]]:
    """Shapes of a tree's leaves, by path as in a model file."""
    return {path: tuple(leaf.shape) for path, leaf in zip(pruning.leaf_paths(tree), jax.tree.leaves(tree))}


def _vocabulary(content: bytes, name: str, size: int) -> Vocabulary:
    try:
        vocabulary = Vocabulary.from_bytes(content, name)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:  # RuntimeError: SentencePiece, of its own model
        raise ModelFileError(f"{name}: {error}") from None
    if len(vocabulary) != size:
        raise ModelFileError(f"{name} has {len(vocabulary):,} words; the model has {size:,}")
    return vocabulary


def _on_device(tree):
    """The tree as jax arrays; copied, as a buffer shared with numpy could not be donated."""
    return jax.tree.map(lambda leaf: jnp.array(np.asarray(leaf)), tree)
