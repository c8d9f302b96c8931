"""Where the pruned weights of a model are (See et al. 2016, sec. 4.5 and fig. 8): words, gates, diagonals, maps."""

import base64
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import jax
import numpy as np

from seq2slim import pruning
from seq2slim.errors import UserError
from seq2slim.evaluation.statistics import spearman
from seq2slim.inference import text_files
from seq2slim.inference.model_files import load_model
from seq2slim.models import Seq2SeqConfig, weight_classes
from seq2slim.runs.records import write_series
from seq2slim.runs.stage import Stage, run_name
from seq2slim.special_ids import BOS, EOS, PAD

BINS = 20  # of words by frequency rank
MAP_WORDS = 1000  # most words in the map of an embedding: every n-th by frequency


@dataclass(frozen=True)
class Redundancy(Stage):
    """The survivors of `parent` (a pruned or retrained model), as a row and as series."""

    kind: ClassVar[str] = "redundancy"
    version: ClassVar[int] = 2
    parent: Stage

    def describe(self) -> str:
        return f"words, gates and maps of {run_name(self.parent)}"

    def run(self, run_dir: Path, context) -> dict:
        model = load_model(context.run_dir(self.parent), context.say)
        if model.masks is None:
            raise UserError(f"{run_name(self.parent)} is dense; redundancy is measured on masks")
        if model.config.cell != "lstm":
            raise UserError(f"gates are measured for LSTMs only; {run_name(self.parent)} is a {model.config.cell}")
        classes = pruning.classes_by_rules(model.params, weight_classes(model.config))
        rows = pruning.summary(model.params, model.masks, classes=classes).rows
        kernels = lstm_kernels(model.masks, model.config)
        maps = {name: pack(mask) for name, (mask, _) in kernels.items()}
        row, words = {"sparsity": pruning.count(model.masks).sparsity}, {}
        train = text_files.tokenised(context.run_dir(self.parent.text))["train"]
        for side in ("source", "target"):
            mask = np.asarray(model.masks[f"{side}_embedding"]["embedding"])
            found = by_frequency(mask, np.bincount(getattr(train, side).ids, minlength=len(mask)))
            row |= {f"{side}_{name}": value for name, value in found.row.items()}
            words[side] = found.series
            maps[f"{side} embedding"] = pack(mask[found.order[:: -(-len(found.order) // MAP_WORDS)]].T)
        series = {
            "class_density": {r.name: 1 - r.sparsity for r in rows},
            "gate_density": [line for name, (mask, units) in kernels.items() for line in gate_lines(name, mask, units)],
            "words": words,
            "maps": maps,
        }
        write_series(run_dir, series)
        return row


@dataclass(frozen=True)
class WordsByFrequency:
    """Survivors among the words of one side. `order`: word ids, the most frequent first."""

    order: np.ndarray
    row: dict[str, float]
    series: dict[str, list]


def by_frequency(mask: np.ndarray, counts: np.ndarray) -> WordsByFrequency:
    """Survivors of an embedding by word frequency.

    Args:
      mask: bool[V, E], True kept.
      counts: int[V], occurrences in the training text. PAD, BOS and EOS are left out; words that never occur (from
        another vocabulary, or pieces that no segmentation uses) rank last and are counted separately.
    Returns: row: `words`, `dead` (occur, and all their weights are pruned), `dead_rank` (mean rank of those, 0 the most
      frequent and 1 the rarest), `unseen` and `unseen_dead`, `rank_correlation` (Spearman, of how rare a word is
      with its density, words of one frequency sharing their rank; nan where all are equally dense); series: `rank`,
      `density` and `dead` (as above) in at most BINS bins of words by rank.
    """
    words = np.setdiff1d(np.arange(len(mask)), [PAD, BOS, EOS])
    order = words[np.argsort(-counts[words], kind="stable")]
    density, seen = mask[order].mean(axis=1), counts[order] > 0
    dead = np.isin(order, pruning.dead_words(mask))
    places = np.linspace(0, 1, len(order))
    row = {
        "words": int(seen.sum()),
        "dead": int((dead & seen).sum()),
        "dead_rank": float(places[dead & seen].mean()) if (dead & seen).any() else None,
        "unseen": int((~seen).sum()),
        "unseen_dead": int((dead & ~seen).sum()),
        "rank_correlation": spearman(-counts[order], density),
    }
    bins = [part for part in np.array_split(np.arange(len(order)), BINS) if part.size]
    series = {
        "rank": [int(part[0]) + 1 for part in bins],
        "density": [float(density[part].mean()) for part in bins],
        "dead": [int((dead & seen)[part].sum()) for part in bins],
    }
    return WordsByFrequency(order, row, series)


def lstm_kernels(masks, config: Seq2SeqConfig) -> dict[str, tuple[np.ndarray, int]]:
    """Name in the paper's words -> (mask of the fused kernel, units H of that direction), encoder first."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(masks):
        part, layer, *rest = (key.key for key in path)
        if part in ("encoder", "decoder") and rest[-1] == "kernel":
            side = {"encoder": "source", "decoder": "target"}[part]
            name = f"{side} {layer.replace('_', ' ')}" + (", backward" if "backward" in rest else "")
            found[name] = np.asarray(leaf), leaf.shape[1] // 4
    return dict(sorted(found.items()))


def gate_lines(name: str, mask: np.ndarray, units: int) -> list[dict]:
    """One line per subgroup of a fused kernel: matrix, part, gate, units H, density, `diagonal` and `off`.

    The last two are the densities on and off the main diagonal; None if the block is not square.
    """
    diagonals = pruning.diagonal_density(mask, units)
    lines = []
    for (part, gate), density in pruning.subgroup_density(mask, units).items():
        diagonal, off = diagonals.get((part, gate), (None, None))
        line = {"matrix": name, "part": part, "gate": gate, "units": units}
        lines.append(line | {"density": density, "diagonal": diagonal, "off": off})
    return lines


def pack(mask: np.ndarray) -> dict:
    """A two-dimensional mask as JSON: shape, and its bits, deflated, in base64."""
    bits = zlib.compress(np.packbits(np.asarray(mask, bool)).tobytes(), 9)
    return {"shape": list(mask.shape), "bits": base64.b64encode(bits).decode("ascii")}


def unpack(packed: dict) -> np.ndarray:
    """The mask that `pack` packed. Raises: UserError if the bits do not fill the shape."""
    rows, columns = packed["shape"]
    size = -(-rows * columns // 8)
    inflater = zlib.decompressobj()
    data = inflater.decompress(base64.b64decode(packed["bits"], validate=True), size + 1)
    if len(data) != size:
        raise ValueError(f"a map of shape [{rows}, {columns}] holds {size} bytes of bits, got {len(data)} or more")
    return np.unpackbits(np.frombuffer(data, np.uint8), count=rows * columns).astype(bool).reshape(rows, columns)
