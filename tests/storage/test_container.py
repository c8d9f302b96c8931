"""Damaged and hostile containers are refused with one kind of error and little memory."""

import contextlib
import hashlib
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim import storage
from seq2slim.storage import ModelFileError
from tests.support.damage import sealed
from tests.support.hostile_files import LIMIT, MB, refused


def test_every_flipped_byte_is_found(tmp_path):
    path = tmp_path / "flipped.slim"
    kernel = np.array([[0.0, 1.5, 0.0], [0.25, 0.0, -3.0]], np.float32)
    storage.write(path, {"kernel": kernel}, {"kernel": kernel != 0}, "codebook16", {"words": b"one two"})
    content = path.read_bytes()
    storage.read(path, LIMIT)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError):
            storage.read(path, LIMIT)


def test_every_truncation_and_extension_is_found(tmp_path, lossless):
    path = tmp_path / "cut.slim"
    for length in range(0, len(lossless), 7):
        path.write_bytes(lossless[:length])
        with pytest.raises(ModelFileError, match=r"cut short|only|claims"):
            storage.read(path, LIMIT)
    path.write_bytes(lossless + b"\0")
    with pytest.raises(ModelFileError, match="something after its end"):
        storage.read(path, LIMIT)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_and_sealed_file_is_refused_or_harmless(tmp_path_factory, small, data):
    """Bytes replaced anywhere, lengths kept or not, the seal made right: an error of ours, or a model within limits."""
    content = bytearray(small[:-32])
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content) - 1))
        stop = start + data.draw(st.integers(0, 3))
        content[start:stop] = data.draw(st.one_of(st.binary(max_size=4), st.sampled_from([b"9", b"-1", b"1e9", b"[]"])))
    path = tmp_path_factory.getbasetemp() / "changed.slim"
    path.write_bytes(content + hashlib.sha256(content).digest())
    with contextlib.suppress(ModelFileError):
        back = storage.read(path, LIMIT)
        assert sum(leaf.nbytes for leaf in _leaves(back.params)) <= LIMIT


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_no_model(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "noise.slim"
    for head in (b"", len(content).to_bytes(8, "little"), b"\x10\0\0\0\0\0\0\0"):
        path.write_bytes(head + content)
        with pytest.raises(ModelFileError):
            storage.read(path, LIMIT)


@pytest.mark.parametrize(
    "header",
    [
        b"{" + b'"a":[' * 50_000,
        b'{"a":' + b"[" * 200_000,
        b'{"a":[' + b"[]," * 87_000 + b"0]}",
        b'{"a":[' + b"{}," * 87_000 + b"0]}",
        b'{"__metadata__":{},"a":' + b"9" * 200_000 + b"}",
        b'{"__metadata__":{},"__metadata__":{}}',
        b'{"__metadata__":{"format":NaN}}',
        b'{"__metadata__":{"format":"\xff\xfe"}}',
        b"[]",
        b"",
        b" " * 300_000,
    ],
    ids=range(11),
)
def test_hostile_headers(target, header):
    refused(target, sealed(header, b""))


def test_a_header_longer_than_allowed_is_not_parsed(target):
    assert "claims 4,611,686,018,427,387,904 bytes" in refused(target, (1 << 62).to_bytes(8, "little") + bytes(100))


def test_what_is_no_regular_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDWR)  # a reader alone would wait
    try:
        with pytest.raises(ModelFileError, match="not a regular file"):
            storage.read(tmp_path / "pipe")
    finally:
        os.close(descriptor)
    with pytest.raises(IsADirectoryError):
        storage.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        storage.read(tmp_path / "nothing")


def test_a_file_larger_than_the_limit_is_not_read(target):
    with target.open("wb") as file:
        file.truncate(1 << 33)
    tracemalloc.start()
    with pytest.raises(ModelFileError, match="has 8,589,934,592 bytes; the limit allows"):
        storage.read(target, LIMIT)
    assert tracemalloc.get_traced_memory()[1] < MB
    tracemalloc.stop()


def _leaves(tree):
    for value in tree.values():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield value
