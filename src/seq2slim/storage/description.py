"""The description of the leaves in the header of a model file, parsed and checked before decompression.

format      FORMAT
codec       the requested codec
leaves      JSON, path -> {"shape", "mask", "kept", "codec", "positions", "parts"}
            mask       "none" (the model has no masks), "scalar" (never pruned) or "array"
            kept       number of survivors, whose values are stored
            codec      of this leaf: "float32" if it has fewer than two axes
            positions  "bitmask" or "gaps"; null where all weights are kept, or none
            parts      part -> [bytes of content, bytes of frame 1, of frame 2, ...]; its tensor is "path:part"
blobs       JSON, name -> [bytes of content, bytes of frame 1, ...]; its tensor is "name:blob"
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from seq2slim.storage import positions
from seq2slim.storage.codecs import CODECS, LOSSLESS, Codec, Leaf
from seq2slim.storage.container import Container, ModelFileError, is_count, parsed_json, read_container
from seq2slim.storage.frames import check_frames

FORMAT = "seq2slim sparse model 1"
NONE, SCALAR, ARRAY = "none", "scalar", "array"
POSITIONS, BLOB = "positions", "blob"
AXES, DEPTH = 8, 32  # most axes of a leaf, most names of a path
LIMIT_BYTES = 1 << 32
_SLACK = 1 << 19  # bytes of header and frames in addition to the content


@dataclass(frozen=True)
class LeafEntry:
    """Description of one leaf; for the fields see the docstring of this module."""

    shape: tuple[int, ...]
    mask: str
    kept: int
    codec: str
    positions: str | None
    parts: dict[str, list[int]]

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)

    @property
    def stored(self) -> int:
        """Bytes of its tensors on disk."""
        return sum(sum(lengths[1:]) for lengths in self.parts.values())

    @property
    def loaded(self) -> int:
        """Bytes of its float32 array and its mask in memory; an empty axis counts as 1: the others may have scales."""
        size = math.prod(max(length, 1) for length in self.shape)
        return 4 * size + {NONE: 0, SCALAR: 1, ARRAY: size}[self.mask]

    def coder(self) -> Codec:
        """The codec of this leaf."""
        return CODECS[self.codec]

    def facts(self) -> Leaf:
        """The sizes that the codec needs."""
        return Leaf(self.kept, min(matrix_shape(self.shape)))


@dataclass(frozen=True)
class Description:
    """Description of a whole model file. leaves: by path. blobs: as in the header."""

    codec: str
    leaves: dict[str, LeafEntry]
    blobs: dict[str, list[int]]

    @property
    def loaded(self) -> int:
        """Bytes of arrays, masks and blobs in memory."""
        return sum(entry.loaded for entry in self.leaves.values()) + sum(lengths[0] for lengths in self.blobs.values())

    @property
    def masked(self) -> bool:
        """Whether the model has masks."""
        return any(entry.mask != NONE for entry in self.leaves.values())

    def texts(self) -> dict[str, str]:
        """The metadata of the header."""
        leaves = {path: asdict(entry) for path, entry in self.leaves.items()}
        return {"format": FORMAT, "codec": self.codec, "leaves": _json(leaves), "blobs": _json(self.blobs)}

    def tensors(self) -> dict[str, list[int]]:
        """Tensor -> content and frames, in the order of the file."""
        of_leaves = {
            f"{path}:{part}": lengths for path, entry in self.leaves.items() for part, lengths in entry.parts.items()
        }
        return of_leaves | {f"{name}:{BLOB}": lengths for name, lengths in self.blobs.items()}


def open_described(path: Path, limit_bytes: int) -> tuple[Description, Container]:
    """Description and content of a file, checked for consistency and against the limit.

    Args: limit_bytes: most bytes that arrays, masks and blobs may take in memory.
    Raises: ModelFileError; OSError if the file cannot be read.
    """
    container = read_container(path, limit_bytes + _SLACK)
    try:
        return _described(container, limit_bytes), container
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Shape of a leaf as a matrix [first axis, all others]."""
    return shape[0] if shape else 1, math.prod(shape[1:])


def valid_path(path: str) -> bool:
    """Whether a path is at most DEPTH printable, non-empty names without ":", joined by "/"."""
    return all(names := path.split("/")) and len(names) <= DEPTH and ":" not in path and path.isprintable()


def _described(container: Container, limit_bytes: int) -> Description:
    texts = container.metadata
    if texts.get("format") != FORMAT:
        raise ModelFileError(f"it is not of the format {FORMAT!r}")
    if set(texts) != {"format", "codec", "leaves", "blobs"} or texts["codec"] not in CODECS:
        raise ModelFileError("its metadata are not those of the format, or name an unknown codec")
    raw_leaves, blobs = (parsed_json(texts[name], f"{name!r} of the header") for name in ("leaves", "blobs"))
    leaves = {path: _leaf(path, entry) for path, entry in raw_leaves.items()}
    for name, lengths in blobs.items():
        if not valid_path(name) or not _are_lengths(lengths):
            raise ModelFileError(f"blob {name!r:.200}: its lengths are not counts, or its name is not a path")
    description = Description(texts["codec"], leaves, blobs)
    if len({entry.mask == NONE for entry in leaves.values()}) > 1:
        raise ModelFileError("some leaves have masks, and others have none")
    for path in leaves:
        parts = path.split("/")
        if any("/".join(parts[:depth]) in leaves for depth in range(1, len(parts))):
            raise ModelFileError(f"leaf {path!r:.200} lies inside another leaf")
    if description.loaded > limit_bytes:
        raise ModelFileError(f"it would take {description.loaded:,} bytes in memory; the limit is {limit_bytes:,}")
    expected = description.tensors()
    if list(expected) != list(container.tensors):
        raise ModelFileError("its tensors are not those that its leaves and blobs have, in their order")
    for name, (length, *frames) in expected.items():
        check_frames(len(container.tensors[name]), length, frames, name)
    return description


def _leaf(path: str, entry) -> LeafEntry:
    where = f"leaf {path!r:.200}"
    if not valid_path(path):
        raise ModelFileError(f"{where}: its name is not a path")
    if not isinstance(entry, dict) or set(entry) != set(LeafEntry.__dataclass_fields__):
        raise ModelFileError(f"{where}: not described by {', '.join(LeafEntry.__dataclass_fields__)}")
    shape, kept, parts = entry["shape"], entry["kept"], entry["parts"]
    if not isinstance(shape, list) or len(shape) > AXES or not all(map(is_count, shape)):
        raise ModelFileError(f"{where}: its shape is not of at most {AXES} counts")
    leaf = LeafEntry(tuple(shape), entry["mask"], kept, entry["codec"], entry["positions"], parts)
    if leaf.mask not in (NONE, SCALAR, ARRAY) or leaf.codec not in tuple(CODECS):
        raise ModelFileError(f"{where}: mask {leaf.mask!r:.40} or codec {leaf.codec!r:.40} is unknown")
    if leaf.codec != LOSSLESS and len(shape) < 2:
        raise ModelFileError(f"{where}: {leaf.codec} is for leaves of two axes and more")
    if not is_count(kept) or kept > leaf.size or (leaf.mask != ARRAY and kept != leaf.size):
        raise ModelFileError(f"{where}: {kept!r:.40} survivors of {leaf.size:,} weights under a mask {leaf.mask!r}")
    pruned = 0 < kept < leaf.size
    if leaf.positions not in ((positions.BITMASK, positions.GAPS) if pruned else (None,)):
        raise ModelFileError(f"{where}: positions {leaf.positions!r:.40} for {kept:,} of {leaf.size:,} weights")
    bounds = {POSITIONS: positions.bounds(leaf.positions, leaf.size, kept)} if pruned else {}
    bounds |= leaf.coder().parts(leaf.facts())
    if not isinstance(parts, dict) or list(parts) != list(bounds) or not all(map(_are_lengths, parts.values())):
        raise ModelFileError(f"{where}: its parts are not lists of counts for {', '.join(bounds)}")
    for part, (least, most) in bounds.items():
        if not least <= parts[part][0] <= most:
            raise ModelFileError(f"{where}: {part} of {parts[part][0]:,} bytes, not of {least:,} to {most:,}")
    return leaf


def _are_lengths(value) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(is_count, value))


def _json(value) -> str:
    return json.dumps(value, separators=(",", ":"))
