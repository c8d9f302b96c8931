"""Contents of a model file, leaf by leaf: survivors, bytes on disk, and the entropy bound on them."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2slim.storage import frames
from seq2slim.storage.container import ModelFileError
from seq2slim.storage.description import LIMIT_BYTES, POSITIONS, open_described


class LeafRow(NamedTuple):
    """One leaf of a file.

    Attributes:
      path, shape: of the leaf.
      kept, weights: number of survivors, and of all weights.
      codec: codec of the values. positions: "bitmask", "gaps" or "-".
      position_bytes, value_bytes: on disk.
      entropy_bytes: the order-0 limit: weights * H(kept / weights) for the positions, and for each other part its
        length times the entropy of its bytes.
    """

    path: str
    shape: tuple[int, ...]
    kept: int
    weights: int
    codec: str
    positions: str
    position_bytes: int
    value_bytes: int
    entropy_bytes: float


def contents(path: Path, limit_bytes: int = LIMIT_BYTES) -> list[LeafRow]:
    """The leaves of a model file, in its order; the rest of the file is metadata and header.

    Raises: ModelFileError if the header, the seal or a value's frame is damaged; only `read` checks whether positions
      and scales fit. OSError if the file cannot be opened or read.
    """
    description, container = open_described(path, limit_bytes)
    rows = []
    for name, entry in description.leaves.items():
        where = {part: sum(lengths[1:]) for part, lengths in entry.parts.items()}
        least = entry.size * frames.entropy(np.array([entry.kept, entry.size - entry.kept]))
        for part, (length, *stored) in entry.parts.items():
            if part == POSITIONS:
                continue
            counts = np.zeros(256, np.int64)
            try:
                for piece in frames.decompress(container.tensors[f"{name}:{part}"], length, stored, f"{name}:{part}"):
                    counts += np.bincount(piece, minlength=256)
            except ModelFileError as error:
                raise ModelFileError(f"{path}: {error}") from None
            least += length * frames.entropy(counts)
        at = where.pop(POSITIONS, 0)
        rows.append(
            LeafRow(
                name, entry.shape, entry.kept, entry.size, entry.codec, entry.positions or "-", at,
                sum(where.values()), math.ceil(least / 8),
            )
        )  # fmt: skip
    return rows
