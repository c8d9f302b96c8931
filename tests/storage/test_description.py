"""Descriptions that are inconsistent or too large are refused, and the error names the problem."""

import contextlib
import copy
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim import storage
from seq2slim.storage import ModelFileError
from seq2slim.storage.description import matrix_shape, open_described, valid_path
from tests.support.damage import MASKS, METADATA, parts, sealed, small_file
from tests.support.hostile_files import LIMIT, compressed, leaf_of, leaves_of, one_leaf, refused

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


def test_what_is_declared_is_held_against_the_limit(target):
    honest = one_leaf(compressed(100), 100, (10, 10))
    target.write_bytes(honest)
    storage.read(target, 400)
    assert "would take 400 bytes in memory; the limit is 399" in refused(target, honest, 399)


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20), (2**62, 2**62), (10**30, 0)])
def test_huge_shapes_are_refused_whatever_the_file_has(target, shape):
    claims = {"shape": list(shape), "kept": math.prod(shape)}
    refused(target, one_leaf(compressed(100), 100, (10, 10), changes=claims))


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
        (lambda h: h["__metadata__"].update(codec="zip"), "an unknown codec"),
        (lambda h: h.update(x=h.pop("encoder/bias:bytes_3")), "begin where the one before it ends"),
        (lambda h: h["encoder/bias:bytes_3"].update(dtype="F32"), "not described as bytes"),
        (lambda h: h["encoder/bias:bytes_3"]["data_offsets"].reverse(), "begin where the one before it ends"),
        (lambda h: h.pop("sha256"), "claim"),
        (lambda h: leaf_of(h).update(kept=3), "positions|parts|bytes"),
        (lambda h: leaf_of(h).update(kept=-1), "survivors"),
        (lambda h: leaf_of(h).update(kept=True), "survivors"),
        (lambda h: leaf_of(h).update(mask="scalar"), "under a mask 'scalar'"),
        (lambda h: leaf_of(h).update(mask=["array"]), "mask"),
        (lambda h: leaf_of(h).update(codec=["float32"]), "codec"),
        (lambda h: leaf_of(h).update(positions=None), "positions None"),
        (lambda h: leaf_of(h).update(shape=[4, -6]), "shape"),
        (lambda h: leaf_of(h).update(shape=[1] * 9 + [24]), "at most 8"),
        (lambda h: leaf_of(h).update(shape=[10**4000] * 2), "counts"),  # products of more digits than Python writes
        (lambda h: leaf_of(h)["parts"].update(bytes_3=[9, 9 * 10**4299, 9 * 10**4299]), "lists of counts"),
        (lambda h: leaf_of(h)["parts"].update(bytes_3=[9]), "do not fit 0 frames"),
        (lambda h: leaf_of(h)["parts"].update(bytes_3=[10, 18]), "bytes_3 of 10 bytes, not of 9 to 9"),
        (lambda h: leaf_of(h)["parts"].update(bytes_3=[]), "lists of counts"),
        (lambda h: leaf_of(h)["parts"].pop("positions"), "lists of counts"),
        (lambda h: leaves_of(h).update({"encoder/kernel/x": leaf_of(h)}), "lies inside another leaf"),
        (lambda h: leaves_of(h).update({"/x": leaf_of(h)}), "not a path"),
        (lambda h: leaves_of(h).update({"\x1b[31m": leaf_of(h)}), "not a path"),
        (lambda h: leaves_of(h).pop("encoder/bias"), "not those that its leaves"),
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
        lambda h: leaf_of(h).update(kept="\x1b[2J" + "x" * 9999),
        lambda h: leaf_of(h).update(mask="\x1b[2J" + "x" * 9999),
        lambda h: leaves_of(h).update({"\x1b[2J" + "x" * 9999: leaf_of(h)}),
        lambda h: h["__metadata__"]["blobs"].update({"\x1b[2J" + "x" * 9999: [0]}),
    ],
)
def test_a_hostile_text_is_told_short_and_without_its_escapes(target, lossless, change):
    header, payload = parts(lossless)
    change(header)
    message = refused(target, sealed(header, payload))
    assert len(message) < 400
    assert message.isprintable()


def test_the_description_of_an_honest_file_counts_its_bytes(tmp_path):
    described, container = open_described(small_file(tmp_path), LIMIT)
    assert list(described.leaves) == ["encoder/bias", "encoder/kernel", "softmax/kernel"]
    kernel = described.leaves["encoder/kernel"]
    masked = MASKS["encoder"]["kernel"]
    assert (kernel.shape, kernel.size, kernel.kept) == (masked.shape, masked.size, masked.sum())
    arrays = 4 * sum(entry.size for entry in described.leaves.values())
    masks = MASKS["encoder"]["kernel"].size + 1 + MASKS["softmax"]["kernel"].size
    assert described.loaded == arrays + masks + sum(map(len, METADATA.values()))
    assert described.masked
    of_kernel = [len(tensor) for name, tensor in container.tensors.items() if name.startswith("encoder/kernel:")]
    assert kernel.stored == sum(of_kernel)


@pytest.mark.parametrize(
    ("shape", "matrix"), [((), (1, 1)), ((7,), (7, 1)), ((2, 3), (2, 3)), ((2, 3, 5), (2, 15)), ((0, 4), (0, 4))]
)
def test_a_leaf_as_a_matrix(shape, matrix):
    assert matrix_shape(shape) == matrix


@pytest.mark.parametrize("path", ["", "/", "a/", "/a", "a//b", "a:b", "a\nb", "/".join("a" * 33)])
def test_invalid_paths(path):
    assert not valid_path(path)


def test_valid_paths():
    assert valid_path("encoder/layer_1/kernel")
    assert valid_path("/".join("a" * 32))
