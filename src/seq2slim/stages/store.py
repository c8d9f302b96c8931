"""Models as sparse files: their size under each codec, and the model that is read back."""

import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim import pruning, storage
from seq2slim.errors import UserError
from seq2slim.inference.model_files import load_model, save_model
from seq2slim.models import ModelOptions, param_shapes, weight_classes
from seq2slim.runs.stage import Stage, run_name
from seq2slim.stages.text import Text

FILE = "model.slim"


@dataclass(frozen=True)
class Store(Stage):
    """The model of `parent`, written with `codec` (a key of `storage.CODECS`) and read back, to be evaluated.

    The file holds parameters and masks; vocabularies and configuration are left out, so that sizes compare.
    """

    kind: ClassVar[str] = "store"
    version: ClassVar[int] = 2
    parent: Stage
    codec: str = "float32"

    def __post_init__(self):
        _check_codec(self.codec)

    @property
    def text(self) -> Text:
        """The training text of the parent."""
        return self.parent.text

    @property
    def seed(self) -> int:
        """The parent's."""
        return self.parent.seed

    def describe(self) -> str:
        return f"{run_name(self.parent)} as {self.codec}"

    def run(self, run_dir: Path, context) -> dict:
        model = load_model(context.run_dir(self.parent), context.say)
        found, params = _written(run_dir / FILE, model.params, model.masks, self.codec)
        save_model(run_dir, model._replace(params=jax.tree.map(jnp.array, params)), context.run_dir(self.text))
        return found | _other_formats(model.params)


@dataclass(frozen=True)
class StoreShape(Stage):
    """File sizes of a model too large to train here: its weights are drawn from a normal distribution, then pruned.

    Attributes:
      model: its architecture. words: of each vocabulary. sparsity: pruned class-blind. codec: a key of
        `storage.CODECS`. seed: of the draw.
    """

    kind: ClassVar[str] = "store_shape"
    version: ClassVar[int] = 2
    model: ModelOptions = ModelOptions("see2016")
    words: int = 50_000
    sparsity: float = 0.8
    codec: str = "float32"
    seed: int = 1

    def __post_init__(self):
        _check_codec(self.codec)

    def describe(self) -> str:
        return f"{self.model.preset}, {self.words:,} words, {100 * self.sparsity:g}% pruned, as {self.codec}"

    def run(self, run_dir: Path, context) -> dict:
        config = self.model.build(self.words, self.words)
        shapes = param_shapes(config)
        draw = np.random.default_rng(self.seed)
        params = jax.tree.map(lambda leaf: 0.1 * draw.standard_normal(leaf.shape, np.float32), shapes)
        classes = pruning.classes_by_rules(params, weight_classes(config))
        masks = pruning.class_blind(params, self.sparsity, classes=classes)
        params = pruning.apply_masks(params, masks)
        found, _ = _written(run_dir / FILE, params, masks, self.codec)
        (run_dir / FILE).unlink()
        return found | _other_formats(params)


def deflated(arrays: Iterable) -> int:
    """Bytes of the dense arrays, zeros included, deflated: as MATLAB stores them (See et al. 2016, sec. 4.4)."""
    deflater = zlib.compressobj()
    size = sum(len(deflater.compress(memoryview(np.ascontiguousarray(array)).cast("B"))) for array in arrays)
    return size + len(deflater.flush())


def csr_bytes(arrays: Iterable) -> int:
    """Bytes of the matrices as compressed sparse rows, and of the other arrays dense.

    Each survivor takes its value and its column (2 bytes for at most 65,536 columns, else 4); each row 4 bytes.
    """
    size = 0
    for array in map(np.asarray, arrays):
        if array.ndim < 2:
            size += array.nbytes
            continue
        columns = array.shape[-1]
        index = 2 if columns <= 1 << 16 else 4
        size += int(np.count_nonzero(array)) * (array.itemsize + index) + 4 * (array.size // columns + 1)
    return size


def _other_formats(params) -> dict[str, int]:
    leaves = jax.tree.leaves(params)
    return {"deflated_bytes": deflated(leaves), "csr_bytes": csr_bytes(leaves)}


def _written(path: Path, params, masks, codec: str) -> tuple[dict, dict]:
    """(size of the file and seconds to write and read it, the parameters read back)."""
    start = time.perf_counter()
    size = storage.write(path, params, masks, codec)
    middle = time.perf_counter()
    back = storage.read(path).params
    end = time.perf_counter()
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    rows = storage.contents(path)
    dense = sum(leaf.nbytes for leaf in leaves)
    facts = {
        "codec": codec,
        "bytes": size,
        "dense_bytes": dense,
        "ratio": round(dense / size, 4),
        "entropy_bytes": round(sum(row.entropy_bytes for row in rows)),
        "exact": all(np.array_equal(a, b) for a, b in zip(leaves, jax.tree.leaves(back), strict=True)),
        "write_seconds": round(middle - start, 2),
        "read_seconds": round(end - middle, 2),
    }
    return facts, back


def _check_codec(codec: str):
    if codec not in storage.CODECS:
        raise UserError(f"codec must be one of {', '.join(storage.CODECS)}, got {codec!r}")
