"""Errors of the codecs against their definitions; values that a codec cannot store are refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seq2slim import storage
from seq2slim.storage import frames
from seq2slim.storage.codecs import CODECS
from tests.support.damage import parts, sealed, small_file
from tests.support.hostile_files import leaf_of, refused

LOSSY = [name for name in CODECS if name != "float32"]
EXTREMES = np.array(
    [[0.0, -0.0, np.inf, -np.inf], [np.nan, 1e-45, -1e-45, 3.4e38], [1.0, -1.0, 2.0**-126, 0.1]], np.float32
)


def stored(tmp_path, leaf, mask, codec):
    path = tmp_path / "model.slim"
    storage.write(path, {"w": leaf}, None if mask is None else {"w": mask}, codec)
    return storage.read(path).params["w"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("codecs")


shapes = hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=12)
numbers = st.one_of(
    st.floats(-60000, 60000, width=32), st.floats(-1, 1, width=32), st.sampled_from([0.0, 1e-7, -1e-40])
)


@st.composite
def pruned_leaves(draw):
    leaf = draw(hnp.arrays(np.float32, shapes, elements=numbers))
    mask = draw(st.one_of(st.none(), hnp.arrays(bool, leaf.shape)))
    return (leaf, None) if mask is None else (np.where(mask, leaf, np.float32(0)), mask)


def bound(leaf, mask, codec):
    """The largest error of each weight, by the definitions in numpy's float64."""
    size = np.abs(leaf.astype(np.float64))
    if codec == "float16":
        return np.where(size < 2.0**-14, 2.0**-25, size * 2.0**-11)
    if codec == "int8":
        matrix = size.reshape(len(size), -1)
        axis = 0 if matrix.shape[0] > matrix.shape[1] else 1
        scale = matrix.max(axis=axis, keepdims=True) / 127
        scale = scale * (1 + 2.0**-7) + 2.0**-133  # rounded up to the 7 bits after the point of two bytes
        return (np.broadcast_to(scale / 2, matrix.shape) + matrix * 2.0**-23).reshape(size.shape)
    raise AssertionError(codec)


@settings(max_examples=100, deadline=None)
@given(pruned_leaves(), st.sampled_from(["float16", "int8"]))
def test_errors_stay_within_the_bound(folder, case, codec):
    leaf, mask = case
    found = stored(folder, leaf, mask, codec)
    assert (np.abs(found.astype(np.float64) - leaf) <= bound(leaf, mask, codec)).all()
    assert (found[leaf == 0] == 0).all()


@settings(max_examples=60, deadline=None)
@given(pruned_leaves(), st.sampled_from([16, 256]))
def test_a_codebook_replaces_by_the_nearest_of_few(folder, case, entries):
    leaf, mask = case
    found = stored(folder, leaf, mask, f"codebook{entries}")
    kept = leaf.ravel() if mask is None else leaf[mask]
    centres = np.unique(found if mask is None else found[mask])
    assert len(centres) <= entries
    assert (found[leaf == 0] == 0).all()
    replaced = found.ravel() if mask is None else found[mask]
    for value, centre in zip(kept.astype(np.float64), replaced.astype(np.float64)):
        assert abs(value - centre) <= np.abs(centres.astype(np.float64) - value).min()
    for low, high in itertools.pairwise(centres.astype(np.float64)):
        between = (kept >= low) & (kept <= high)
        assert (np.abs(kept - replaced)[between] <= (high - low) / 2 * (1 + 1e-6)).all()


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint32, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9)))
def test_float32_is_bit_for_bit(folder, bits):
    found = stored(folder, bits.view(np.float32), None, "float32")
    assert found.shape == bits.shape
    np.testing.assert_array_equal(found.view(np.uint32), bits)


def test_float32_keeps_infinities_nan_and_negative_zero(tmp_path):
    mask = np.ones(EXTREMES.shape, bool)
    mask[0, 0] = False
    np.testing.assert_array_equal(stored(tmp_path, EXTREMES, mask, "float32").view(np.uint32), EXTREMES.view(np.uint32))


@pytest.mark.parametrize("codec", LOSSY)
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_lossy_codecs_refuse_what_is_not_finite(tmp_path, codec, value):
    leaf = np.ones((3, 4), np.float32)
    leaf[1, 2] = value
    with pytest.raises(ValueError, match=r"leaf 'w': .*choose float32"):
        stored(tmp_path, leaf, None, codec)
    assert list(tmp_path.iterdir()) == []


def test_float16_refuses_what_would_become_infinite(tmp_path):
    assert stored(tmp_path, np.full((1, 1), 65504, np.float32), None, "float16") == 65504
    with pytest.raises(ValueError, match="65504"):
        stored(tmp_path, np.full((1, 1), 1e5, np.float32), None, "float16")


@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (4, 2, 3)])
def test_int8_scales_the_longer_lines(tmp_path, shape):
    """Rows that differ by a factor of a thousand: only with one scale per row do the small ones keep their detail."""
    leaf = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    turned = shape[0] > leaf.size // shape[0]

    def lines(array):
        matrix = array.reshape(shape[0], -1)
        return matrix.T if turned else matrix

    lines(leaf)[:] *= 1000.0 ** np.arange(len(lines(leaf)), dtype=np.float32)[:, None]
    found = stored(tmp_path, leaf, None, "int8")
    for own, line in zip(lines(leaf), lines(found), strict=True):
        np.testing.assert_allclose(line, own, atol=np.abs(own).max() / 127 * 0.51)


@pytest.mark.parametrize("codec", LOSSY)
def test_a_survivor_that_becomes_zero_stays_a_survivor(tmp_path, codec):
    leaf = np.array([[100.0, 1e-9, 0.0, 0.0], [50.0, 0.0, -1e-9, 0.0]], np.float32)
    mask = np.array([[True, True, True, False], [True, False, True, False]])
    path = tmp_path / "model.slim"
    storage.write(path, {"w": leaf}, {"w": mask}, codec)
    back = storage.read(path)
    np.testing.assert_array_equal(back.masks["w"], mask)
    assert back.params["w"][0, 2] == 0


@pytest.mark.parametrize("codec", LOSSY)
def test_biases_are_lossless_under_every_codec(tmp_path, codec):
    bias = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    np.testing.assert_array_equal(stored(tmp_path, bias, None, codec), bias)
    np.testing.assert_array_equal(stored(tmp_path, bias[0], None, codec), bias[0])


@pytest.mark.parametrize(("sparsity", "rows"), [(0.8, 14.0), (0.9, 26.0)])
def test_sizes_on_normal_weights(tmp_path, sparsity, rows):
    """The ratios to dense float32 that such weights allow, within 5% of the entropy measured on the file."""
    leaf = np.random.default_rng(3).standard_normal((2000, 500)).astype(np.float32) / 10
    mask = np.abs(leaf) > np.quantile(np.abs(leaf), sparsity)
    leaf = np.where(mask, leaf, np.float32(0))
    at_least = {"float32": 5.6, "float16": 10.5, "int8": rows, "codebook16": 21.6, "codebook256": 15.0}
    for codec, ratio in at_least.items():
        written = storage.write(tmp_path / "m", {"w": leaf}, {"w": mask}, codec)
        assert leaf.nbytes / written > ratio * (1.8 if sparsity == 0.9 and codec != "int8" else 1), codec
        (row,) = storage.contents(tmp_path / "m")
        assert row.position_bytes + row.value_bytes < 1.05 * row.entropy_bytes


@pytest.mark.parametrize(
    ("codec", "name", "byte", "told"),
    [
        ("codebook16", "values", 0xFF, "a value is entry 255"),
        ("int8", "scales_1", 0xFF, "a scale is negative or not finite"),
        ("int8", "scales_1", 0xBF, "a scale is negative or not finite"),  # negative and finite
    ],
)
def test_values_outside_their_table_are_refused(tmp_path, codec, name, byte, told):
    """An index beyond the codebook; a scale that is none."""
    header, payload = parts(small_file(tmp_path, codec).read_bytes())
    lengths = leaf_of(header)["parts"][name]
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
    assert told in refused(tmp_path / "changed.slim", sealed(header, payload))
