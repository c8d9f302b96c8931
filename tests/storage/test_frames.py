"""Frames that do not hold what they declare are refused before they are unpacked."""

import numpy as np
import pytest
import zstandard

from seq2slim import storage
from seq2slim.storage import ModelFileError, frames
from tests.support.damage import parts, sealed
from tests.support.hostile_files import LIMIT, MB, compressed, one_leaf, refused


def test_an_honest_file_of_that_make_is_read(target):
    target.write_bytes(one_leaf(compressed(100), 100, (10, 10)))
    assert not storage.read(target, LIMIT).params["w"].any()


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (compressed(512 * MB), "does not declare the expected 100 bytes"),  # 50 KB that zstandard would unpack unasked
        (compressed(99), "does not declare the expected 100 bytes"),
        (compressed(100, write_content_size=False), "does not declare the expected 100 bytes"),
        (compressed(100) + compressed(100), "damaged"),
        (compressed(100) + b"\0", "damaged"),
        (compressed(100)[:-1], "damaged"),
        (b"\x28\xb5\x2f\xfd", "damaged"),
        (b"\x50\x2a\x4d\x18\x04\0\0\0abcd", "not a zstandard frame"),  # a skippable one
        (b"", "not a zstandard frame"),
    ],
)
def test_frames_are_checked_before_they_are_unpacked(target, frame, complaint):
    assert complaint in refused(target, one_leaf(frame, 100, (10, 10)))


def test_a_frame_that_holds_more_than_it_declares_is_refused(target):
    """A frame of run-length blocks, 128 KB each for 4 bytes, whose header declares 100 bytes."""
    block = (1 << 1 | (128 << 10) << 3).to_bytes(3, "little") + b"\0"
    last = (1 | 1 << 1 | (128 << 10) << 3).to_bytes(3, "little") + b"\0"
    frame = b"\x28\xb5\x2f\xfd" + bytes([0x20, 100]) + block * 8000 + last  # 1 GB
    assert "damaged" in refused(target, one_leaf(frame, 100, (10, 10)))


def test_a_wrong_last_byte_of_a_large_file_costs_no_arrays(target):
    """Everything but the last part is honest, and the arrays would take 64 MB."""
    side, frame = 4096, compressed(frames.FRAME)
    last = frame * (side * side // frames.FRAME - 1) + frame[:-1]
    content = one_leaf(last, side * side, (side, side))
    header, payload = parts(content)
    header["__metadata__"]["leaves"]["w"]["parts"]["bytes_0"][1:] = [len(frame)] * (side * side // frames.FRAME - 1) + [
        len(frame) - 1
    ]
    assert "damaged" in refused(target, sealed(header, payload), 1 << 30)


@pytest.mark.parametrize("length", [0, 1, frames.FRAME - 1, frames.FRAME, frames.FRAME + 1, 3 * frames.FRAME + 5])
@pytest.mark.parametrize("symbols", [2, 256])
def test_a_stream_comes_back_and_zstandard_reads_its_frames(length, symbols):
    content = np.random.default_rng(0).integers(0, symbols, length).astype(np.uint8)
    stream = frames.compress(content)
    assert stream.length == length
    assert stream.stored == len(b"".join(stream.frames))
    assert b"".join(zstandard.ZstdDecompressor().decompress(frame) for frame in stream.frames) == content.tobytes()
    lengths = [len(frame) for frame in stream.frames]
    frames.check_frames(stream.stored, length, lengths, "x")
    pieces = list(frames.decompress(memoryview(b"".join(stream.frames)), length, lengths, "x"))
    assert all(len(piece) <= frames.FRAME for piece in pieces)
    assert b"".join(piece.tobytes() for piece in pieces) == content.tobytes()


def test_strides_do_not_change_a_stream():
    wide = np.random.default_rng(0).integers(0, 9, (5000, 3)).astype(np.uint8)
    assert frames.compress(wide[:, 1]) == frames.compress(wide[:, 1].copy())


def test_repeated_text_takes_little_space():
    text = b"one two three four " * 1000
    stream = frames.compress_text(text)
    assert stream.stored < 200
    assert zstandard.ZstdDecompressor().decompress(stream.frames[0]) == text


@pytest.mark.parametrize(
    ("counts", "bits"), [([], 0), ([7], 0), ([0, 5, 0], 0), ([1] * 8, 3), ([2, 1, 1], 1.5), ([4, 2, 1, 1], 1.75)]
)
def test_entropy_in_closed_form(counts, bits):
    assert frames.entropy(np.array(counts, np.int64)) == pytest.approx(bits)


@pytest.mark.parametrize(
    ("stored", "length", "lengths"), [(9, 100, [10]), (10, 100, [5, 5]), (0, 1, []), (10, frames.FRAME + 1, [10])]
)
def test_frames_that_do_not_fit_the_stream_are_refused(stored, length, lengths):
    with pytest.raises(ModelFileError, match=r"x: .* do not fit"):
        frames.check_frames(stored, length, lengths, "x")
