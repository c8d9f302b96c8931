"""The container of a model file: safetensors whose tensors are all bytes, sealed by a SHA-256, read with bounds.

    8 bytes        N, length of the header, little-endian
    N bytes        JSON, padded with spaces: {"__metadata__": {name: text}, tensor: {"dtype", "shape", "data_offsets"}}
    the tensors    dtype U8, one axis, back to back in the order of the header; the last is the seal: 32 bytes,
                   the SHA-256 of everything before it

Any safetensors library reads such a file. This reader accepts no other safetensors file, since every freedom of a
format is a place to hide something.
"""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from seq2slim.errors import UserError
from seq2slim.files import written_whole

SEAL = "sha256"
HEADER_LIMIT = 1 << 18  # bytes; parsed JSON takes up to 25 times its text, and must stay far under 16 MB
_DIGEST = hashlib.sha256().digest_size
_COPY = 1 << 18


class ModelFileError(UserError):
    """A file that is damaged, hostile, too large, or not a model file; the message names the file and the problem."""


class Container(NamedTuple):
    """The content of a file: the texts of its header, and its tensors as views of one buffer, without the seal."""

    metadata: dict[str, str]
    tensors: dict[str, memoryview]


def write_container(path: Path, metadata: dict[str, str], lengths: dict[str, int], payload: BinaryIO):
    """Writes a file atomically; it is on the disk when this returns.

    Args:
      metadata: texts of the header.
      lengths: tensor name -> bytes, in the order in which they lie in `payload`.
      payload: the tensors, back to back, from the current position to the end.
    Raises: ValueError if the header would be longer than HEADER_LIMIT.
    """
    entries: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name, length in [*lengths.items(), (SEAL, _DIGEST)]:
        entries[name] = {"dtype": "U8", "shape": [length], "data_offsets": [end, end + length]}
        end += length
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > HEADER_LIMIT:
        raise ValueError(
            f"the header of {path} would have {len(header):,} bytes, more than {HEADER_LIMIT:,}: it has too many "
            "leaves or metadata; stack the arrays of equal layers into one leaf"
        )
    with written_whole(path) as file:
        sealed = _Sealed(file)
        sealed.write(len(header).to_bytes(8, "little") + header)
        shutil.copyfileobj(payload, sealed, _COPY)
        file.write(sealed.digest())


def read_container(path: Path, limit_bytes: int) -> Container:
    """The whole file in one buffer, with its header checked against its length and its content against the seal.

    Args: limit_bytes: a longer file is rejected before it is read.
    Raises: ModelFileError; OSError if the file cannot be opened or read.
    """
    content = _content(path, limit_bytes)
    try:
        return _parsed(content)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None


def parsed_json(text: str, what: str, fractions: bool = False) -> dict[str, Any]:
    """A JSON object of integers, strings, booleans, null, lists and objects, and floats if `fractions`.

    Raises: ModelFileError for anything else: other JSON, NaN, a duplicate key, too deep a nesting.
    """
    parse_float = float if fractions else _no_fraction
    try:
        value = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_float=parse_float, parse_constant=_no_fraction
        )
    except ModelFileError as error:
        raise ModelFileError(f"{what}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{what} is not JSON ({type(error).__name__}); damaged, or not a model file") from None
    if not isinstance(value, dict):
        raise ModelFileError(f"{what} is not a JSON object")
    return value


def is_count(value: Any) -> bool:
    """Whether a value is an integer in 0 .. 2^63 - 1, and not a boolean."""
    return type(value) is int and 0 <= value < 1 << 63


class _Sealed:
    """Passes bytes on to a file and hashes them."""

    def __init__(self, file: BinaryIO):
        self._file, self._hash = file, hashlib.sha256()

    def write(self, data: bytes):
        self._file.write(data)
        self._hash.update(data)

    def digest(self) -> bytes:
        return self._hash.digest()


def _content(path: Path, limit_bytes: int) -> memoryview:
    with Path(path).open("rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ModelFileError(f"{path} is not a regular file")
        if status.st_size > limit_bytes:
            raise ModelFileError(f"{path} has {status.st_size:,} bytes; the limit allows {limit_bytes:,}")
        content = file.read(status.st_size)
    return memoryview(content)


def _parsed(content: memoryview) -> Container:
    if len(content) < 8:
        raise ModelFileError(f"it has only {len(content)} bytes")
    length = int.from_bytes(content[:8], "little")
    if length > HEADER_LIMIT:
        raise ModelFileError(f"its header claims {length:,} bytes, more than {HEADER_LIMIT:,}; not a model file")
    if length > len(content) - 8:
        raise ModelFileError(f"its header claims {length:,} bytes, but {len(content) - 8:,} follow: cut short")
    header = parsed_json(str(content[8 : 8 + length], "utf-8", "replace"), "the header")
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelFileError("its header has no metadata, or metadata other than texts; not a model file")
    tensors = _tensors(header, content[8 + length :])
    seal = tensors.pop(SEAL)
    if hashlib.sha256(content[: len(content) - _DIGEST]).digest() != seal:
        raise ModelFileError("its content does not have the SHA-256 at its end: damaged")
    return Container(metadata, tensors)


def _tensors(entries: dict[str, Any], payload: memoryview) -> dict[str, memoryview]:
    tensors, end = {}, 0
    for name, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"} or entry["dtype"] != "U8":
            raise ModelFileError(f"tensor {name!r} is not described as bytes are")
        offsets, shape = entry["data_offsets"], entry["shape"]
        if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(is_count, offsets)):
            raise ModelFileError(f"the offsets of tensor {name!r} are not two counts")
        if offsets[0] != end or offsets[1] < end or shape != [offsets[1] - end]:
            raise ModelFileError(f"tensor {name!r} does not begin where the one before it ends, or has another length")
        tensors[name] = payload[end : offsets[1]]
        end = offsets[1]
    if end != len(payload):
        state = "cut short" if end > len(payload) else "with something after its end"
        raise ModelFileError(f"its tensors claim {end:,} bytes, and it has {len(payload):,}: {state}")
    if next(reversed(tensors), None) != SEAL or len(tensors[SEAL]) != _DIGEST:
        raise ModelFileError("its last tensor is not the SHA-256; not a model file")
    return tensors


def _without_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ModelFileError(f"{name[:80]!r} is there twice")
        found[name] = value
    return found


def _no_fraction(text: str):
    raise ModelFileError(f"it holds the number {text[:40]}, which has no place there")
