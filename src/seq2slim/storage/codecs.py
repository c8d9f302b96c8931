"""Codecs: the values of a leaf to parts of bytes that compress well, and back.

codec         parts (uint8 each)                                      largest error of a weight w
float32       bytes_3 .. bytes_0 of w                                 none: bit for bit, NaN too
float16       bytes_1, bytes_0 of w rounded to float16                |w| 2^-11, and 2^-25 where |w| < 2^-14
int8          values: round(w / scale) + 128; scales_1, scales_0      scale / 2, and |w| 2^-23 of rounding
codebook16    values: index of the nearest entry; codebook            half the gap between the entries around w, or the
codebook256                                                           distance to the outermost one

The bits of a float are rotated left by one, so that the exponent fills its first byte and the sign moves to the end,
among the noisy bits; then each byte becomes a separate part, bytes_0 the least significant. The exponents compress, the
lower bytes hardly do.

int8 has one scale per row of the leaf, taken as a matrix [first axis, all others] and transposed where it has more rows
than columns, so that rows are the longer lines. The scale is max|w| / 127 rounded up to two bytes of a float32, of
which scales_1 is the first. Entries of a codebook are k-means centres, little-endian float32 (Han, Mao & Dally 2016,
sec. 3). A survivor that becomes 0 stays a survivor; a weight of exactly 0 stays 0.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from seq2slim.storage import kmeans
from seq2slim.storage.container import ModelFileError

Pieces = Iterable[np.ndarray]
_SEGMENT = 1 << 20
_MIDDLE = 128  # of int8, stored with an offset
_BFLOAT16 = np.uint32(0xFFFF0000)


class Leaf(NamedTuple):
    """Sizes of a leaf that a codec needs. size: number of values stored. rows: number of scales that int8 stores."""

    size: int
    rows: int


class Codec(NamedTuple):
    """How the values of a leaf are stored.

    Attributes:
      encode: (leaf f32[r, c], mask bool[r, c] or None) -> part -> uint8[m]; raises ValueError if it cannot hold them.
      parts: Leaf -> part -> (least, most) bytes of its content.
      decode: (part -> its pieces, Leaf) -> values of the survivors in order, in pieces f32[k]; raises ModelFileError.
      scaled: whether the values are then multiplied by the scale of their row (see `scales` and `scaled_axis`).
    """

    encode: Callable[[np.ndarray, np.ndarray | None], dict[str, np.ndarray]]
    parts: Callable[[Leaf], dict[str, tuple[int, int]]]
    decode: Callable[[dict[str, Pieces], Leaf], Iterator[np.ndarray]]
    scaled: bool = False


def survivors(leaf: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Values of the survivors, row by row, f32[k]; a view if the leaf is not pruned."""
    return leaf.reshape(-1) if mask is None else leaf[mask]


def scaled_axis(matrix: np.ndarray) -> np.ndarray:
    """The matrix, transposed if it has more rows than columns: a view whose rows have one scale each."""
    return matrix.T if matrix.shape[0] > matrix.shape[1] else matrix


def scales(parts: dict[str, Pieces]) -> Iterator[np.ndarray]:
    """The scale of each row, in pieces f32[k]. Raises: ModelFileError if one is negative, infinite or NaN."""
    for high, low in zip(parts["scales_1"], parts["scales_0"], strict=True):
        piece = ((high.astype(np.uint32) << 24) | (low.astype(np.uint32) << 16)).view(np.float32)
        if np.signbit(piece).any() or not np.isfinite(piece).all():
            raise ModelFileError("a scale is negative or not finite")
        yield piece


def _encode_float(width: int):
    kind, bits, top = f"<f{width}", f"<u{width}", 8 * width - 1

    def encode(leaf: np.ndarray, mask: np.ndarray | None) -> dict[str, np.ndarray]:
        values = survivors(leaf, mask)
        if width == 2:
            with np.errstate(over="ignore"):
                values = values.astype(kind)
            if not np.isfinite(values).all():
                raise ValueError("float16 holds finite values up to 65504 only; choose float32")
        rotated = np.ascontiguousarray(values, kind).view(bits)
        rotated = (rotated << 1) | (rotated >> top)
        columns = rotated.view(np.uint8).reshape(-1, width)
        return {f"bytes_{place}": columns[:, place] for place in reversed(range(width))}

    return encode


def _parts_float(width: int):
    return lambda leaf: {f"bytes_{place}": (leaf.size, leaf.size) for place in reversed(range(width))}


def _decode_float(width: int):
    kind, bits, top = f"<f{width}", f"<u{width}", 8 * width - 1

    def decode(parts: dict[str, Pieces], leaf: Leaf) -> Iterator[np.ndarray]:
        for columns in zip(*(parts[f"bytes_{place}"] for place in range(width)), strict=True):
            rotated = np.stack(columns, axis=1).view(bits)[:, 0]
            yield ((rotated >> 1) | (rotated << top)).view(kind).astype(np.float32, copy=False)

    return decode


def _encode_int8(leaf: np.ndarray, mask: np.ndarray | None) -> dict[str, np.ndarray]:
    _check_finite(leaf, "int8")
    lines = scaled_axis(leaf)
    largest = np.maximum(lines.max(axis=1, initial=0), np.abs(lines.min(axis=1, initial=0))) / np.float32(127)
    bits = (largest.view(np.uint32) + ~_BFLOAT16) & _BFLOAT16  # rounded up
    scale = bits.view(np.float32)
    divisor = np.where(scale > 0, scale, np.float32(1))
    divisor = divisor[:, None] if lines is leaf else divisor[None, :]
    values = [np.zeros(0, np.uint8)]
    for rows in _segments(leaf):
        quotients = np.rint(leaf[rows] / (divisor[rows] if lines is leaf else divisor))
        values.append((survivors(quotients, None if mask is None else mask[rows]) + _MIDDLE).astype(np.uint8))
    return {
        "values": np.concatenate(values),
        "scales_1": (bits >> 24).astype(np.uint8),
        "scales_0": (bits >> 16).astype(np.uint8),
    }


def _parts_int8(leaf: Leaf) -> dict[str, tuple[int, int]]:
    return {"values": (leaf.size, leaf.size)} | {f"scales_{place}": (leaf.rows, leaf.rows) for place in (1, 0)}


def _decode_int8(parts: dict[str, Pieces], leaf: Leaf) -> Iterator[np.ndarray]:
    for piece in parts["values"]:
        yield piece.astype(np.float32) - np.float32(_MIDDLE)


def _encode_codebook(entries: int):
    def encode(leaf: np.ndarray, mask: np.ndarray | None) -> dict[str, np.ndarray]:
        _check_finite(leaf, f"codebook{entries}")
        values = survivors(leaf, mask)
        centres = kmeans.codebook(values, entries) if values.size else np.zeros(0, np.float32)
        starts = range(0, len(values), _SEGMENT)
        indices = [kmeans.nearest(centres, values[start : start + _SEGMENT]) for start in starts]
        return {
            "values": np.concatenate([np.zeros(0, np.uint8), *indices]),
            "codebook": np.ascontiguousarray(centres, "<f4").view(np.uint8),
        }

    return encode


def _parts_codebook(entries: int):
    return lambda leaf: {"values": (leaf.size, leaf.size), "codebook": (4 * bool(leaf.size), 4 * entries)}


def _decode_codebook(parts: dict[str, Pieces], leaf: Leaf) -> Iterator[np.ndarray]:
    content = np.concatenate([np.zeros(0, np.uint8), *parts["codebook"]])
    if len(content) % 4:
        raise ModelFileError(f"its codebook has {len(content)} bytes, no multiple of 4")
    centres = content.view("<f4").astype(np.float32, copy=False)
    if not np.isfinite(centres).all():
        raise ModelFileError("an entry of its codebook is not finite")
    for piece in parts["values"]:
        if piece.max(initial=0) >= len(centres):
            raise ModelFileError(f"a value is entry {piece.max()} of a codebook of {len(centres)}")
        yield centres[piece]


def _check_finite(leaf: np.ndarray, name: str):
    if not all(np.isfinite(leaf[rows]).all() for rows in _segments(leaf)):
        raise ValueError(f"{name} holds finite values only; choose float32")


def _segments(leaf: np.ndarray) -> Iterator[slice]:
    """Slices of whole rows, of about a million weights each."""
    step = max(1, _SEGMENT // max(1, leaf.shape[1]))
    return (slice(start, start + step) for start in range(0, len(leaf), step))


LOSSLESS = "float32"
CODECS: dict[str, Codec] = {
    LOSSLESS: Codec(_encode_float(4), _parts_float(4), _decode_float(4)),
    "float16": Codec(_encode_float(2), _parts_float(2), _decode_float(2)),
    "int8": Codec(_encode_int8, _parts_int8, _decode_int8, scaled=True),
    "codebook16": Codec(_encode_codebook(16), _parts_codebook(16), _decode_codebook),
    "codebook256": Codec(_encode_codebook(256), _parts_codebook(256), _decode_codebook),
}
