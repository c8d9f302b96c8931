"""Positions of the survivors of a leaf: a bitmask or the gaps between them, whichever compresses smaller.

bitmask   bit 7 of byte 0 is the first weight (row by row), 1 keeps; the bits after the last weight are 0.
gaps      for each survivor the number of pruned weights since the previous survivor, as a byte 0..254; a byte 255
          stands for 255 pruned weights without a survivor. Pruned weights after the last survivor are not written.

At sparsity s the limit is H(s) = -s log2(s) - (1 - s) log2(1 - s) bits per weight, 0.722 at 80%.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from seq2slim.storage import frames
from seq2slim.storage.container import ModelFileError

BITMASK, GAPS = "bitmask", "gaps"
_FAR = 255
_SEGMENT = 1 << 20


def encode(mask: np.ndarray) -> tuple[str, frames.Stream]:
    """(form, stream) of the smaller form. Args: mask: bool[n], flat, True keeps."""
    forms = {GAPS: frames.compress(_gaps(mask)), BITMASK: frames.compress(np.packbits(mask))}
    form = min(forms, key=lambda name: forms[name].stored)
    return form, forms[form]


def bounds(form: str, size: int, kept: int) -> tuple[int, int]:
    """Least and most bytes of content that `kept` survivors among `size` weights can take. Raises: KeyError."""
    bits = -(-size // 8)
    return {BITMASK: (bits, bits), GAPS: (kept, kept + (size - kept) // _FAR)}[form]


def decode(
    form: str, pieces: Iterable[np.ndarray], size: int, kept: int, what: str
) -> Iterator[tuple[slice | np.ndarray, np.ndarray | bool]]:
    """(index, value) pairs for `mask[index] = value`, from the content of a stream; `mask` is all False before.

    Raises: ModelFileError, at the latest when exhausted, if these are not `kept` positions below `size`.
    """
    count = 0
    for index, value in (_from_bitmask if form == BITMASK else _from_gaps)(pieces, size, what):
        count += int(np.count_nonzero(value)) if form == BITMASK else len(index)
        yield index, value
    if count != kept:
        raise ModelFileError(f"{what}: {count:,} survivors instead of {kept:,}")


def _gaps(mask: np.ndarray) -> np.ndarray:
    pieces, last = [np.zeros(0, np.uint8)], -1
    for start in range(0, len(mask), _SEGMENT):
        at = np.flatnonzero(mask[start : start + _SEGMENT]) + start
        if at.size:
            pruned = np.diff(at, prepend=last) - 1
            last = at[-1]
            far, near = np.divmod(pruned, _FAR)
            ends = np.cumsum(far + 1)
            piece = np.full(ends[-1], _FAR, np.uint8)
            piece[ends - 1] = near
            pieces.append(piece)
    return np.concatenate(pieces)


def _from_bitmask(pieces: Iterable[np.ndarray], size: int, what: str):
    start = 0
    for piece in pieces:
        bits = np.unpackbits(piece).view(bool)
        if bits[size - start :].any():
            raise ModelFileError(f"{what}: a position lies beyond the {size:,} weights")
        bits = bits[: size - start]
        yield slice(start, start + len(bits)), bits
        start += len(bits)


def _from_gaps(pieces: Iterable[np.ndarray], size: int, what: str):
    last, survivor = -1, True
    for piece in pieces:
        survivors = piece != _FAR
        reached = last + np.cumsum(piece + survivors, dtype=np.int64)  # 255 + False, or gap + True: no byte overflows
        last, survivor = int(reached[-1]), bool(survivors[-1])
        if last >= size:
            raise ModelFileError(f"{what}: a position lies beyond the {size:,} weights")
        yield reached[survivors], True
    if not survivor:
        raise ModelFileError(f"{what}: the last gap leads to no survivor")
