"""Damaged and hostile files: one kind of error, that says what is wrong, and no memory to speak of."""

import contextlib
import copy
import hashlib
import math
import os
import tracemalloc

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim import storage
from seq2slim.storage import ModelFileError, frames
from seq2slim.storage.codecs import CODECS
from tests.support.damage import parts, sealed, small_file

LIMIT = 1 << 20
MB = 1 << 20


@pytest.fixture(scope="module", params=list(CODECS))
def small(request, tmp_path_factory):
    """Content of a small file, in each codec."""
    return small_file(tmp_path_factory.mktemp("small"), request.param).read_bytes()


@pytest.fixture(scope="module")
def lossless(tmp_path_factory):
    return small_file(tmp_path_factory.mktemp("lossless")).read_bytes()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "hostile.slim"


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


values = st.one_of(
    st.integers(-2, 300), st.integers(2**31, 2**70), st.none(), st.booleans(), st.text(max_size=3), st.just([]),
    st.just({}), st.lists(st.integers(-1, 50), max_size=4), st.sampled_from(["gaps", "bitmask", "scalar", "int8"]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_description_is_refused_or_harmless(tmp_path_factory, small, data):
    """Any value of the header replaced, keys dropped and added, the seal made right."""
    header, payload = parts(small)
    for _ in range(data.draw(st.integers(1, 2))):
        node = header
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and data.draw(st.integers(0, 3)):
                node = node[key]
                continue
            action = data.draw(st.sampled_from(["change", "change", "drop", "add"]))
            if action == "change":
                node[key] = copy.deepcopy(data.draw(values))
            elif action == "drop":
                del node[key]
            elif isinstance(node, dict):
                node[data.draw(st.sampled_from(["x", "x:blob", "encoder/kernel/deep", "\ud800"]))] = node[key]
            else:
                node.append(node[key])
            break
    path = tmp_path_factory.getbasetemp() / "described.slim"
    try:
        path.write_bytes(sealed(header, payload))
    except (KeyError, TypeError, AttributeError):  # nothing is left that has metadata
        return
    with contextlib.suppress(ModelFileError):
        storage.read(path, LIMIT)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_no_model(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "noise.slim"
    for head in (b"", len(content).to_bytes(8, "little"), b"\x10\0\0\0\0\0\0\0"):
        path.write_bytes(head + content)
        with pytest.raises(ModelFileError):
            storage.read(path, LIMIT)


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


def test_an_honest_file_of_that_make_is_read(target):
    target.write_bytes(one_leaf(compressed(100), 100, (10, 10)))
    assert not storage.read(target, LIMIT).params["w"].any()


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (compressed(512 * MB), "does not declare the 100 bytes"),  # 50 KB that zstandard would unpack unasked
        (compressed(99), "does not declare the 100 bytes"),
        (compressed(100, write_content_size=False), "does not declare the 100 bytes"),
        (compressed(100) + compressed(100), "damaged"),
        (compressed(100) + b"\0", "damaged"),
        (compressed(100)[:-1], "damaged"),
        (b"\x28\xb5\x2f\xfd", "damaged"),
        (b"\x50\x2a\x4d\x18\x04\0\0\0abcd", "no zstandard frame"),  # a skippable one
        (b"", "no zstandard frame"),
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


def test_what_is_declared_is_held_against_the_limit(target):
    honest = one_leaf(compressed(100), 100, (10, 10))
    target.write_bytes(honest)
    storage.read(target, 400)
    assert "would take 400 bytes in memory; the limit is 399" in refused(target, honest, 399)


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20), (2**62, 2**62), (10**30, 0)])
def test_huge_shapes_are_refused_whatever_the_file_has(target, shape):
    claims = {"shape": list(shape), "kept": math.prod(shape)}
    refused(target, one_leaf(compressed(100), 100, (10, 10), changes=claims))


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


def test_json_inside_the_header_is_bounded_too(target, lossless):
    header, payload = parts(lossless)
    header["__metadata__"]["leaves"] = "[" * 100_000
    assert "not JSON" in refused(target, sealed(header, payload))
    header["__metadata__"]["leaves"] = "{" + ",".join(f'"{n}":[[],[],[]]' for n in range(10_000)) + "}"
    refused(target, sealed(header, payload))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda h: h["__metadata__"].update(format="another"), "not of the format"),
        (lambda h: h["__metadata__"].update(codec="zip"), "a codec that there is not"),
        (lambda h: h.update(x=h.pop("encoder/bias:bytes_3")), "begin where the one before it ends"),
        (lambda h: h["encoder/bias:bytes_3"].update(dtype="F32"), "not described as bytes"),
        (lambda h: h["encoder/bias:bytes_3"]["data_offsets"].reverse(), "begin where the one before it ends"),
        (lambda h: h.pop("sha256"), "claim"),
        (lambda h: _leaf(h).update(kept=3), "positions|parts|bytes"),
        (lambda h: _leaf(h).update(kept=-1), "survivors"),
        (lambda h: _leaf(h).update(kept=True), "survivors"),
        (lambda h: _leaf(h).update(mask="scalar"), "under a mask 'scalar'"),
        (lambda h: _leaf(h).update(mask=["array"]), "mask"),
        (lambda h: _leaf(h).update(codec=["float32"]), "codec"),
        (lambda h: _leaf(h).update(positions=None), "positions None"),
        (lambda h: _leaf(h).update(shape=[4, -6]), "shape"),
        (lambda h: _leaf(h).update(shape=[1] * 9 + [24]), "at most 8"),
        (lambda h: _leaf(h).update(shape=[10**4000] * 2), "counts"),  # products of more digits than Python writes
        (lambda h: _leaf(h)["parts"].update(bytes_3=[9, 9 * 10**4299, 9 * 10**4299]), "lists of counts"),
        (lambda h: _leaf(h)["parts"].update(bytes_3=[9]), "do not fit 0 frames"),
        (lambda h: _leaf(h)["parts"].update(bytes_3=[10, 18]), "bytes_3 of 10 bytes, not of 9 to 9"),
        (lambda h: _leaf(h)["parts"].update(bytes_3=[]), "lists of counts"),
        (lambda h: _leaf(h)["parts"].pop("positions"), "lists of counts"),
        (lambda h: _leaves_of(h).update({"encoder/kernel/x": _leaf(h)}), "lies inside another leaf"),
        (lambda h: _leaves_of(h).update({"/x": _leaf(h)}), "no path"),
        (lambda h: _leaves_of(h).update({"\x1b[31m": _leaf(h)}), "no path"),
        (lambda h: _leaves_of(h).pop("encoder/bias"), "not those that its leaves"),
        (lambda h: h["__metadata__"]["blobs"].update(words=[8, 16]), "hold|declare|fit"),
    ],
)
def test_descriptions_that_do_not_fit_are_named(target, lossless, change, complaint):
    header, payload = parts(lossless)
    change(header)
    message = refused(target, sealed(header, payload))
    assert any(part in message for part in complaint.split("|")), message


@pytest.mark.parametrize(
    "change",
    [
        lambda h: _leaf(h).update(kept="\x1b[2J" + "x" * 9999),
        lambda h: _leaf(h).update(mask="\x1b[2J" + "x" * 9999),
        lambda h: _leaves_of(h).update({"\x1b[2J" + "x" * 9999: _leaf(h)}),
        lambda h: h["__metadata__"]["blobs"].update({"\x1b[2J" + "x" * 9999: [0]}),
    ],
)
def test_a_hostile_text_is_told_short_and_without_its_escapes(target, lossless, change):
    header, payload = parts(lossless)
    change(header)
    message = refused(target, sealed(header, payload))
    assert len(message) < 400
    assert message.isprintable()


def test_metadata_is_held_once(target):
    """64 MB that are stored as a few KB cost their own size, not twice that."""
    size = 64 * MB
    storage.write(target, {}, metadata={"words": bytes(size)})
    tracemalloc.start()
    try:
        assert len(storage.read(target).metadata["words"]) == size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * size + 16 * MB


@pytest.mark.parametrize(
    ("codec", "name", "byte", "told"),
    [
        ("codebook16", "values", 0xFF, "a value is entry 255"),
        ("int8", "scales_1", 0xFF, "a scale is negative or not finite"),
        ("int8", "scales_1", 0xBF, "a scale is negative or not finite"),  # negative and finite
    ],
)
def test_values_outside_their_table_are_refused(tmp_path, target, codec, name, byte, told):
    """An index beyond the codebook; a scale that is none."""
    header, payload = parts(small_file(tmp_path, codec).read_bytes())
    lengths = _leaf(header)["parts"][name]
    old = header[f"encoder/kernel:{name}"]["data_offsets"]
    new = frames.compress(np.full(lengths[0], byte, np.uint8))
    shift = new.stored - (old[1] - old[0])
    payload = payload[: old[0]] + b"".join(new.frames) + payload[old[1] :]
    lengths[1:] = [new.stored]
    for tensor, entry in header.items():
        if tensor != "__metadata__" and entry["data_offsets"][1] >= old[1]:
            begin, end = entry["data_offsets"]
            begin += shift * (begin >= old[1])
            entry.update(data_offsets=[begin, end + shift], shape=[end + shift - begin])
    assert told in refused(target, sealed(header, payload))


def test_what_is_no_regular_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDWR)  # a reader alone would wait
    try:
        with pytest.raises(ModelFileError, match="no regular file"):
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


def test_the_contents_are_read_with_the_same_care(target, lossless):
    header, payload = parts(lossless)
    for content in (lossless[:-1], sealed({**header, "x": {}}, payload), one_leaf(compressed(MB), 100, (10, 10))):
        target.write_bytes(content)
        with pytest.raises(ModelFileError):
            storage.contents(target, LIMIT)


def _leaves(tree):
    for value in tree.values():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield value


def _leaves_of(header):
    return header["__metadata__"]["leaves"]


def _leaf(header):
    return _leaves_of(header)["encoder/kernel"]
