"""A model file returns what was written, is equal for equal models, and opens in the safetensors library."""

import functools
import hashlib
import json
import os
import tracemalloc
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim import storage
from seq2slim.storage.codecs import CODECS
from tests.support.damage import MASKS, METADATA, PARAMS, small_file
from tests.support.hostile_files import MB


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_same(found[name], value)
        else:
            assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
            assert found[name].tobytes() == np.asarray(value).tobytes()


def test_comes_back_bit_for_bit(tmp_path):
    back = storage.read(small_file(tmp_path))
    assert_same(back.params, PARAMS)
    assert_same(back.masks, MASKS)
    assert back.metadata == METADATA


@pytest.mark.parametrize("codec", list(CODECS))
def test_masks_and_what_is_pruned_survive_every_codec(tmp_path, codec):
    back = storage.read(small_file(tmp_path, codec))
    assert_same(back.masks, MASKS)
    pruned = back.params["encoder"]["kernel"][~MASKS["encoder"]["kernel"]]
    assert not pruned.view(np.uint32).any()  # +0.0
    again = tmp_path / "again.slim"
    storage.write(again, back.params, back.masks, "float32", back.metadata)
    assert_same(storage.read(again).params, back.params)


leaf_shapes = st.sampled_from([(), (3,), (2, 3), (1, 1), (0, 4), (4, 0), (2, 3, 4)])


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("abcd"), st.tuples(leaf_shapes, st.sampled_from(["scalar", "none", "some", "all"]))
    ),
    st.booleans(),
    st.sampled_from(list(CODECS)),
    st.integers(0, 1000),
)
def test_any_tree_of_any_shapes(tmp_path_factory, leaves, masked, codec, seed):
    generator = np.random.default_rng(seed)
    params, masks = {"x": {}}, {"x": {}}
    for name, (shape, kind) in {"z": ((2, 2), "some"), **leaves}.items():
        kept = {"none": np.zeros(shape, bool), "all": np.ones(shape, bool), "some": generator.random(shape) < 0.5}
        mask = np.array(True) if kind == "scalar" else np.asarray(kept[kind])
        leaf = np.asarray(generator.standard_normal(shape), np.float32)
        params["x"][name] = np.asarray(np.where(mask, leaf, np.float32(0))) if masked else leaf
        masks["x"][name] = mask
    path = tmp_path_factory.getbasetemp() / "any.slim"
    storage.write(path, params, masks if masked else None, codec)
    back = storage.read(path, limit_bytes=10_000)
    assert_same(back.masks, masks) if masked else None
    assert (back.masks is None) is not masked
    if codec == "float32":
        assert_same(back.params, params)
    for name, leaf in params["x"].items():
        assert back.params["x"][name].shape == leaf.shape


def test_a_model_without_leaves(tmp_path):
    storage.write(tmp_path / "m", {})
    assert storage.read(tmp_path / "m") == ({}, None, {})


def test_jax_arrays_and_views_are_taken(tmp_path):
    kernel = jnp.arange(6.0).reshape(2, 3)
    storage.write(tmp_path / "m", {"k": kernel, "t": np.asarray(kernel).T}, {"k": kernel > -1, "t": jnp.array(True)})
    back = storage.read(tmp_path / "m")
    np.testing.assert_array_equal(back.params["k"], kernel)
    np.testing.assert_array_equal(back.params["t"], kernel.T)


@pytest.mark.parametrize("codec", list(CODECS))
def test_equal_models_give_equal_files_in_any_order(tmp_path, codec):
    first = small_file(tmp_path, codec).read_bytes()
    turned = {name: dict(reversed(leaves.items())) for name, leaves in reversed(PARAMS.items())}
    masks = {name: dict(reversed(leaves.items())) for name, leaves in reversed(MASKS.items())}
    storage.write(tmp_path / "other", turned, masks, codec, dict(reversed(METADATA.items())))
    assert (tmp_path / "other").read_bytes() == first


@pytest.mark.parametrize("codec", list(CODECS))
def test_the_safetensors_library_reads_it_and_zstandard_its_tensors(tmp_path, codec):
    """Another program's way in, by what docs/file_format.md says of the format."""
    path = small_file(tmp_path, codec)
    tensors = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, "np") as file:
        texts = file.metadata()
    content = path.read_bytes()
    assert tensors.pop("sha256").tobytes() == hashlib.sha256(content[:-32]).digest() == content[-32:]
    leaf = json.loads(texts["leaves"])["encoder/kernel"]
    assert (texts["codec"], leaf["codec"], leaf["shape"]) == (codec, codec, [4, 6])

    def content_of(name):
        with zstandard.ZstdDecompressor().stream_reader(tensors[name].tobytes(), read_across_frames=True) as reader:
            return np.frombuffer(reader.read(), np.uint8)

    for name, lengths in json.loads(texts["blobs"]).items():
        assert content_of(f"{name}:blob").tobytes() == METADATA[name]
        assert sum(lengths[1:]) == len(tensors[f"{name}:blob"])
    raw = content_of("encoder/kernel:positions")
    if leaf["positions"] == "bitmask":
        mask = np.unpackbits(raw)[:24].astype(bool)
    else:
        mask = np.zeros(24, bool)
        mask[np.cumsum(raw.astype(int) + 1) - 1] = True  # 24 weights: no gap of 255
    np.testing.assert_array_equal(mask.reshape(4, 6), MASKS["encoder"]["kernel"])
    expected = storage.read(path).params["encoder"]["kernel"][mask.reshape(4, 6)]
    if codec.startswith("codebook"):
        values = content_of("encoder/kernel:codebook").view("<f4")[content_of("encoder/kernel:values")]
    elif codec == "int8":
        high, low = (content_of(f"encoder/kernel:scales_{place}").astype(np.uint32) for place in (1, 0))
        scales = (high << 24 | low << 16).view(np.float32)
        values = (content_of("encoder/kernel:values") - np.float32(128)) * scales.repeat(6)[mask]
    else:
        width = {"float32": 4, "float16": 2}[codec]
        rotated = sum(
            content_of(f"encoder/kernel:bytes_{place}").astype(np.uint64) << (8 * place) for place in range(width)
        )
        bits = (rotated >> 1) | (rotated << (8 * width - 1))
        values = bits.astype(f"<u{width}").view(f"<f{width}").astype(np.float32)
    np.testing.assert_array_equal(values, expected)


def test_dense_leaves_pay_for_no_positions(tmp_path):
    leaf = np.random.default_rng(0).standard_normal((100, 100)).astype(np.float32)
    dense = storage.write(tmp_path / "dense", {"w": leaf})
    full = storage.write(tmp_path / "full", {"w": leaf}, {"w": np.ones(leaf.shape, bool)})
    assert abs(full - dense) < 16
    assert dense < leaf.nbytes


def test_a_killed_or_failed_writer_leaves_the_old_file(tmp_path, monkeypatch):
    path = small_file(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        storage.write(path, {"w": np.ones((2, 2), np.float32)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("params", "masks", "complaint"),
    [
        ({"w": np.ones(2)}, None, "leaf 'w': it is float64"),
        ({"w": np.ones((2, 2), np.float32)}, {"w": np.ones((2, 1), bool)}, r"\(2, 1\) lies over .*\(2, 2\)"),
        ({"w": np.ones(2, np.float32)}, {"w": np.ones(2)}, "mask is float64, not bool"),
        ({"w": np.ones(2, np.float32)}, {"w": np.array(False)}, "scalar False"),
        ({"w": np.ones(2, np.float32)}, {"v": np.ones(2, bool)}, "leaves of params"),
        ({"w": np.ones(2, np.float32)}, {"w": np.array([True, False])}, r"not \+0\.0: apply the masks"),
        ({"w": np.array([1, -0.0], np.float32)}, {"w": np.array([True, False])}, r"not \+0\.0: apply the masks"),
        ({"a/b": np.ones(2, np.float32)}, None, "cannot name a leaf"),
        ({"a:b": np.ones(2, np.float32)}, None, "cannot name a leaf"),
        ({"": np.ones(2, np.float32)}, None, "cannot name a leaf"),
        ({"a": {}}, None, "empty dict"),
        ([np.ones(2, np.float32)], None, "nested dicts"),
        ({"w": np.ones((1,) * 9, np.float32)}, None, "9 axes, more than 8"),
        (functools.reduce(lambda tree, _: {"a": tree}, range(33), np.ones(2, np.float32)), None, "at most 32 dicts"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(tmp_path, params, masks, complaint):
    with pytest.raises(ValueError, match=complaint):
        storage.write(tmp_path / "m", params, masks)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_codec_and_a_bad_blob_are_refused(tmp_path):
    with pytest.raises(ValueError, match="codec='int4': there are float32, "):
        storage.write(tmp_path / "m", {}, codec="int4")
    with pytest.raises(ValueError, match="cannot name a blob"):
        storage.write(Path(tmp_path / "m"), {}, metadata={"a:b": b""})


def test_a_header_that_no_reader_would_take_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"header .* more than 262,144"):
        storage.write(tmp_path / "m", {f"{n}": np.float32(0) for n in range(3000)})
    assert list(tmp_path.iterdir()) == []


def test_metadata_is_held_once(tmp_path):
    """64 MB that are stored as a few KB take their size in memory, not twice that."""
    target = tmp_path / "large.slim"
    size = 64 * MB
    storage.write(target, {}, metadata={"words": bytes(size)})
    tracemalloc.start()
    try:
        assert len(storage.read(target).metadata["words"]) == size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * size + 16 * MB
