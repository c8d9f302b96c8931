"""Writing and reading a model file leaf by leaf: memory beyond the arrays is a few copies of one leaf.

A file is fully checked before an array is made: a rejected file costs no more memory than its size.
"""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2slim.errors import UserError
from seq2slim.storage import frames, positions
from seq2slim.storage.codecs import CODECS, LOSSLESS, scaled_axis, scales, survivors
from seq2slim.storage.container import ModelFileError, write_container
from seq2slim.storage.description import (
    ARRAY,
    AXES,
    BLOB,
    DEPTH,
    LIMIT_BYTES,
    NONE,
    POSITIONS,
    SCALAR,
    Description,
    LeafEntry,
    matrix_shape,
    open_described,
    valid_path,
)


class SparseModel(NamedTuple):
    """The arguments of `write`: nested dicts of numpy arrays, and named bytes. masks: None for a dense model."""

    params: dict[str, Any]
    masks: dict[str, Any] | None
    metadata: dict[str, bytes]


def write(path: Path, params, masks=None, codec: str = LOSSLESS, metadata: dict[str, bytes] | None = None) -> int:
    """Writes a model as one file, atomically; equal arguments give equal bytes.

    Args:
      params: nested dicts of float32 arrays; weights masked by False are +0.0 (`pruning.apply_masks`).
      masks: same structure; bool arrays, True keeps; a scalar True where a leaf is never pruned. None: no masks.
      codec: a key of CODECS. A leaf of fewer than two axes (a bias) is always stored as float32.
      metadata: name -> bytes, stored with the leaves (configuration, vocabularies).
    Returns: size of the file in bytes.
    Raises: UserError for an unknown codec, or naming the leaf, if it is not float32, its mask does not fit, a pruned
      weight is not +0.0, or the codec cannot hold a value; ValueError for trees that no file can hold.
    """
    if codec not in CODECS:
        raise UserError(f"codec={codec!r}: there are {', '.join(CODECS)}")
    path, leaves, blobs = Path(path), dict(_flat(params)), dict(sorted((metadata or {}).items()))
    over = None if masks is None else dict(_flat(masks))
    if over is not None and list(over) != list(leaves):
        raise ValueError(f"masks must have the leaves of params, {list(leaves)}; got {list(over)}")
    for name in [name for name in blobs if not valid_path(name)]:
        raise ValueError(f"{name!r} cannot name a blob: names joined by '/', without ':'")
    with tempfile.TemporaryFile(dir=path.parent) as payload:
        entries, blob_lengths = {}, {}
        for name, leaf in leaves.items():
            try:
                fields, streams = _encoded(leaf, None if over is None else over[name], codec)
            except ValueError as error:
                raise UserError(f"leaf {name!r}: {error}") from None
            entries[name] = LeafEntry(**fields, parts={part: _append(payload, s) for part, s in streams.items()})
        for name, blob in blobs.items():
            blob_lengths[name] = _append(payload, frames.compress_text(blob))
        description = Description(codec, entries, blob_lengths)
        lengths = {tensor: sum(stored) for tensor, (_, *stored) in description.tensors().items()}
        payload.seek(0)
        write_container(path, description.texts(), lengths, payload)
    return path.stat().st_size


class ModelFile:
    """A model file with a checked description; its content is decompressed on request.

    Attributes:
      path: of the file. description: of leaves and metadata, from its header.
    """

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES):
        """Reads the bytes of the file. Args, Raises: as in `read`."""
        self.path = path
        self.description, self._container = open_described(path, limit_bytes)

    def metadata(self) -> dict[str, bytes]:
        """The named bytes. Raises: ModelFileError if they are damaged."""
        tensors, blobs = self._container.tensors, self.description.blobs
        with self._named():
            return {name: _joined(_pieces(tensors, f"{name}:{BLOB}", blobs[name])) for name in blobs}

    def arrays(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Parameters and masks, as in `read`. Raises: ModelFileError, before an array is made, if a leaf is damaged."""
        leaves, tensors = self.description.leaves, self._container.tensors
        with self._named():
            for name, entry in leaves.items():
                _check(name, entry, tensors)
            found = {name: _decoded(name, entry, tensors) for name, entry in leaves.items()}
        params, masks = (_nested({name: pair[side] for name, pair in found.items()}) for side in (0, 1))
        return params, masks if self.description.masked else None

    @contextmanager
    def _named(self):
        """Puts the path of the file before the message of an error."""
        try:
            yield
        except ModelFileError as error:
            raise ModelFileError(f"{self.path}: {error}") from None


def read(path: Path, limit_bytes: int = LIMIT_BYTES) -> SparseModel:
    """The model that `write` wrote.

    Args: limit_bytes: most bytes of arrays, masks and metadata in memory (5 bytes per pruned weight); while a leaf is
      decoded, its survivors take memory in addition.
    Returns: float32 and bool arrays; pruned weights are +0.0.
    Raises: ModelFileError, before any array is made, if the file is damaged, hostile, too large, or not a model file;
      peak memory is then below the sizes of file and metadata + 16 MB. OSError if it cannot be opened or read.
    """
    file = ModelFile(path, limit_bytes)
    metadata = file.metadata()
    return SparseModel(*file.arrays(), metadata)


def _encoded(leaf, mask, codec: str) -> tuple[dict[str, Any], dict[str, frames.Stream]]:
    """Fields of the leaf's entry, and its parts in the order of the file."""
    leaf = np.asarray(leaf)
    if leaf.dtype != np.float32:
        raise ValueError(f"it is {leaf.dtype}; model files hold float32")
    if leaf.ndim > AXES:
        raise ValueError(f"it has {leaf.ndim} axes, more than {AXES}: reshape it")
    leaf = np.ascontiguousarray(leaf).reshape(leaf.shape)  # ascontiguousarray gives a scalar an axis
    chosen = codec if leaf.ndim >= 2 else LOSSLESS
    kind, kept, form, streams = NONE, leaf.size, None, {}
    if mask is not None:
        kind, mask = _checked_mask(leaf, np.asarray(mask))
    if kind == ARRAY:
        kept = int(np.count_nonzero(mask))
        if 0 < kept < leaf.size:
            form, streams[POSITIONS] = positions.encode(mask.reshape(-1))
    matrix = leaf.reshape(matrix_shape(leaf.shape))
    over = mask.reshape(matrix.shape) if kept < leaf.size else None
    if over is not None and np.count_nonzero(leaf.view(np.uint32)) != np.count_nonzero(
        survivors(matrix, over).view(np.uint32)
    ):
        raise ValueError("a weight that is pruned is not +0.0: apply the masks first")
    for part, content in CODECS[chosen].encode(matrix, over).items():
        streams[part] = frames.compress(content)
    return {"shape": leaf.shape, "mask": kind, "kept": kept, "codec": chosen, "positions": form}, streams


def _checked_mask(leaf: np.ndarray, mask: np.ndarray) -> tuple[str, np.ndarray]:
    if mask.dtype != bool:
        raise ValueError(f"its mask is {mask.dtype}, not bool")
    if mask.ndim == 0 and leaf.ndim > 0:
        if not mask:
            raise ValueError("its mask is a scalar False; a scalar stands for 'never pruned' and is True")
        return SCALAR, mask
    if mask.shape != leaf.shape:
        raise ValueError(f"a mask of shape {mask.shape} lies over a weight of shape {leaf.shape}")
    return (SCALAR, mask) if mask.ndim == 0 and mask else (ARRAY, np.ascontiguousarray(mask).reshape(mask.shape))


def _append(payload, stream: frames.Stream) -> list[int]:
    for frame in stream.frames:
        payload.write(frame)
    return [stream.length, *map(len, stream.frames)]


def _pieces(tensors: dict[str, memoryview], name: str, lengths: list[int]) -> Iterator[np.ndarray]:
    return frames.decompress(tensors[name], lengths[0], lengths[1:], name)


def _joined(pieces: Iterator[np.ndarray]) -> bytes:
    """The pieces of a stream, joined without a second copy: `getvalue` returns the buffer itself."""
    stream = io.BytesIO()
    for piece in pieces:
        stream.write(piece)
    return stream.getvalue()


def _streams(name: str, entry: LeafEntry, tensors: dict[str, memoryview]) -> dict[str, Iterator[np.ndarray]]:
    return {part: _pieces(tensors, f"{name}:{part}", lengths) for part, lengths in entry.parts.items()}


def _placed(name: str, entry: LeafEntry, parts: dict[str, Iterator[np.ndarray]]):
    """(index, value) pairs that set the mask."""
    return positions.decode(entry.positions, parts[POSITIONS], entry.size, entry.kept, f"{name}:{POSITIONS}")


def _check(name: str, entry: LeafEntry, tensors: dict[str, memoryview]):
    """Decompresses a whole leaf and keeps nothing. Raises: ModelFileError."""
    parts = _streams(name, entry, tensors)
    try:
        for _ in _placed(name, entry, parts) if entry.positions else ():
            pass
        for _ in entry.coder().decode(parts, entry.facts()):
            pass
        for _ in scales(parts) if entry.coder().scaled else ():
            pass
    except ModelFileError as error:
        raise ModelFileError(f"leaf {name!r}: {error}") from None


def _decoded(name: str, entry: LeafEntry, tensors: dict[str, memoryview]) -> tuple[np.ndarray, np.ndarray]:
    """Array and mask of a leaf that passed `_check`."""
    parts = _streams(name, entry, tensors)
    mask = np.zeros(entry.size, bool) if entry.mask == ARRAY else None
    if entry.positions:
        for index, value in _placed(name, entry, parts):
            mask[index] = value
    elif entry.mask == ARRAY:
        mask[:] = entry.kept > 0
    values, start = np.zeros(entry.kept, np.float32), 0
    for piece in entry.coder().decode(parts, entry.facts()):
        values[start : start + len(piece)] = piece
        start += len(piece)
    if entry.kept < entry.size:
        leaf = np.zeros(entry.size, np.float32)
        leaf[mask] = values
    else:
        leaf = values
    if entry.coder().scaled:
        along, start = scaled_axis(leaf.reshape(matrix_shape(entry.shape))), 0
        for piece in scales(parts):
            along[start : start + len(piece)] *= piece[:, None]
            start += len(piece)
    return leaf.reshape(entry.shape), np.array(True) if mask is None else mask.reshape(entry.shape)


def _flat(tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(path, leaf) of nested dicts, sorted by name."""
    if not isinstance(tree, dict):
        raise ValueError(f"params and masks are nested dicts of arrays, got {type(tree).__name__}")
    for name in sorted(tree):
        if not isinstance(name, str) or not valid_path(prefix + name) or "/" in name:
            raise ValueError(
                f"{prefix}{name!r} cannot name a leaf: a text without '/' and ':' is needed, at most {DEPTH} dicts deep"
            )
        if not isinstance(tree[name], dict):
            yield prefix + name, tree[name]
        elif tree[name]:
            yield from _flat(tree[name], f"{prefix}{name}/")
        else:
            raise ValueError(f"{prefix}{name} is an empty dict, which a file cannot hold")


def _nested(leaves: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        *parents, last = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = leaf
    return tree
