"""Streams: bytes as consecutive zstandard frames of at most FRAME bytes of content, so that a frame bounds the memory.

A frame declares the size of its content, and zstandard allocates that size whatever limit its caller sets. So the
declared size is compared with the expected one before a frame is decompressed.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import zstandard

from seq2slim.storage.container import ModelFileError

FRAME = 1 << 18  # bytes of content; two blocks of zstandard, each with its Huffman table
_MAGIC = zstandard.FRAME_HEADER

# Numbers have no repeated phrases: Huffman coding alone compresses them. The longest minimal match and a small hash
# table avoid chance matches, which cost more than they save (2-10% of a stream at the library's default level).
_NUMBERS = zstandard.ZstdCompressionParameters(
    compression_level=1, strategy=zstandard.STRATEGY_DFAST, min_match=7, hash_log=10, chain_log=10, window_log=18
)
# Where few symbols are frequent, chance matches occur all the same; only a parser that knows the price of a literal
# avoids them (20% of such a stream, at 10 MB/s).
_FEW_SYMBOLS = zstandard.ZstdCompressionParameters(
    compression_level=19, strategy=zstandard.STRATEGY_BTULTRA, min_match=7, hash_log=10, chain_log=10, search_log=1,
    target_length=16, window_log=18,
)  # fmt: skip
_FEW_BITS = 3.0
_TEXT = zstandard.ZstdCompressionParameters.from_level(19, window_log=18)


class Stream(NamedTuple):
    """Compressed bytes: length of the content, and its frames."""

    length: int
    frames: list[bytes]

    @property
    def stored(self) -> int:
        """Bytes on disk."""
        return sum(map(len, self.frames))


def compress(content: np.ndarray) -> Stream:
    """The stream of numbers uint8[n], with any strides; equal content gives equal frames."""
    counts = np.zeros(256, np.int64)
    for piece in _cut(content):
        counts += np.bincount(piece, minlength=256)
    return _compressed(content, _FEW_SYMBOLS if entropy(counts) < _FEW_BITS else _NUMBERS)


def compress_text(content: bytes) -> Stream:
    """The stream of bytes with repeated phrases, such as text."""
    return _compressed(np.frombuffer(content, np.uint8), _TEXT)


def entropy(counts: np.ndarray) -> float:
    """Order-0 entropy in bits per symbol, -sum p log2 p; 0 without symbols. Args: counts: int[n], of each symbol."""
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(-(shares * np.log2(shares)).sum())


def decompress(stored: memoryview, length: int, frames: list[int], what: str) -> Iterator[np.ndarray]:
    """The content of a stream in pieces uint8[FRAME]; the last may be shorter.

    Args: stored: its frames. length: of the content. frames: length of each frame. what: its name, for errors.
    Raises: ModelFileError if a frame is damaged; before decompression if it does not declare the expected size.
    """
    decompressor = zstandard.ZstdDecompressor()
    ends = itertools.accumulate(frames)
    for number, (end, size) in enumerate(zip(ends, frames, strict=True)):
        expected, frame = min(FRAME, length - number * FRAME), stored[end - size : end]
        try:
            if frame[:4] != _MAGIC:
                raise ModelFileError(f"{what}: frame {number} is not a zstandard frame")
            declared = zstandard.get_frame_parameters(frame)
            if declared.content_size != expected or declared.dict_id:
                raise ModelFileError(f"{what}: frame {number} does not declare the expected {expected:,} bytes")
            content = decompressor.decompress(frame, max_output_size=expected, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise ModelFileError(f"{what}: frame {number} is damaged ({error})") from None
        if len(content) != expected:
            raise ModelFileError(f"{what}: frame {number} holds {len(content):,} bytes instead of {expected:,}")
        yield np.frombuffer(content, np.uint8)


def check_frames(stored: int, length: int, frames: list[int], what: str):
    """Checks that a stream has as many frames as `length` needs, which fill the `stored` bytes.

    Raises: ModelFileError.
    """
    if len(frames) != -(-length // FRAME) or sum(frames) != stored:
        raise ModelFileError(
            f"{what}: {length:,} bytes do not fit {len(frames)} frames with {sum(frames):,} of {stored:,} bytes"
        )


def _compressed(content: np.ndarray, parameters) -> Stream:
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    return Stream(len(content), [compressor.compress(piece) for piece in _cut(content)])


def _cut(content: np.ndarray) -> Iterator[np.ndarray]:
    return (np.ascontiguousarray(content[start : start + FRAME]) for start in range(0, len(content), FRAME))
