"""Model files that are damaged or hostile, and how they must be refused."""

import tracemalloc

import numpy as np
import pytest
import zstandard

from seq2slim import storage
from seq2slim.storage import ModelFileError, frames
from tests.support.damage import sealed

LIMIT = 1 << 20
MB = 1 << 20


def refused(path, content, limit=LIMIT):
    """The message of the error; the memory it took is bounded."""
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError) as caught:
            storage.read(path, limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(content) + 16 * MB, f"{peak:,} bytes for a file of {len(content):,}"
    message = str(caught.value)
    assert message.startswith(f"{path}: ") or message.startswith(f"{path} ")
    return message.removeprefix(str(path))


def one_leaf(frame: bytes, raw: int, shape, part="bytes_0", changes=None):
    """A sealed file with one dense lossless leaf whose part is `frame`; the other parts are honest zeros."""
    size = int(np.prod(shape))
    stored, payload = {}, b""
    for name in ("bytes_3", "bytes_2", "bytes_1", "bytes_0"):
        if name == part:
            stored[name], pieces = [raw, len(frame)], [frame]
        else:
            stream = frames.compress(np.zeros(size, np.uint8))
            stored[name], pieces = [stream.length, *map(len, stream.frames)], stream.frames
        payload += b"".join(pieces)
    leaf = {"shape": list(shape), "mask": "none", "kept": size, "codec": "float32", "positions": None, "parts": stored}
    texts = {
        "format": "seq2slim sparse model 1",
        "codec": "float32",
        "leaves": {"w": leaf | (changes or {})},
        "blobs": {},
    }
    header, end = {"__metadata__": texts}, 0
    for name, (_, *lengths) in [*((f"w:{n}", s) for n, s in stored.items()), ("sha256", (0, 32))]:
        begin, end = end, end + sum(lengths)
        header[name] = {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
    return sealed(header, payload)


def compressed(size: int, **options) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(bytes(size))


def leaves_of(header):
    return header["__metadata__"]["leaves"]


def leaf_of(header):
    return leaves_of(header)["encoder/kernel"]
