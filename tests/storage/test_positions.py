"""Positions against a plain loop over the mask, in both forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim.storage import ModelFileError, frames, positions


def gaps_by_loop(mask) -> list[int]:
    found, pruned = [], 0
    for keeps in mask:
        if not keeps:
            pruned += 1
            continue
        found += [255] * (pruned // 255) + [pruned % 255]
        pruned = 0
    return found


def content(stream):
    pieces = frames.decompress(memoryview(b"".join(stream.frames)), stream.length, list(map(len, stream.frames)), "x")
    return list(pieces)


def decoded(form, pieces, size, kept):
    mask = np.zeros(size, bool)
    for index, value in positions.decode(form, pieces, size, kept, "x"):
        mask[index] = value
    return mask


def cut(values, length):
    return [np.array(values[start : start + length], np.uint8) for start in range(0, len(values), length)]


masks = st.integers(0, 2**32).flatmap(
    lambda seed: st.builds(
        lambda size, density: np.random.default_rng(seed).random(size) < density,
        st.integers(1, 3000),
        st.sampled_from([0.001, 0.01, 0.2, 0.5, 0.99]),
    )
)


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(1, 50))
def test_both_forms_hold_any_mask(mask, length):
    kept = int(mask.sum())
    loop = gaps_by_loop(mask)
    least, most = positions.bounds(positions.GAPS, len(mask), kept)
    assert least <= len(loop) <= most
    np.testing.assert_array_equal(decoded(positions.GAPS, cut(loop, length), len(mask), kept), mask)
    bits = "".join("1" if keeps else "0" for keeps in mask)
    octets = [int(bits[start : start + 8].ljust(8, "0"), 2) for start in range(0, len(bits), 8)]
    np.testing.assert_array_equal(decoded(positions.BITMASK, cut(octets, length), len(mask), kept), mask)

    form, stream = positions.encode(mask)
    (wanted,) = {positions.GAPS: [loop], positions.BITMASK: [octets]}[form]
    assert [int(byte) for piece in content(stream) for byte in piece] == wanted
    np.testing.assert_array_equal(decoded(form, content(stream), len(mask), kept), mask)


def test_gaps_go_on_across_the_segments_of_a_long_mask():
    mask = np.zeros((1 << 21) + 77, bool)
    mask[[0, 254, 510, (1 << 20) - 1, 1 << 20, (1 << 21) + 76]] = True
    form, stream = positions.encode(mask)
    np.testing.assert_array_equal(decoded(form, content(stream), len(mask), 6), mask)


def test_sparse_masks_take_gaps_and_dense_ones_bits():
    draws = np.random.default_rng(0).random(1 << 16)
    assert positions.encode(draws < 0.02)[0] == positions.GAPS
    assert positions.encode(draws < 0.7)[0] == positions.BITMASK


@pytest.mark.parametrize("sparsity", [0.8, 0.9])
def test_positions_cost_little_more_than_the_entropy(sparsity):
    mask = np.random.default_rng(1).random(1 << 20) >= sparsity
    limit = -(sparsity * np.log2(sparsity) + (1 - sparsity) * np.log2(1 - sparsity)) * mask.size / 8
    assert limit * 0.99 < positions.encode(mask)[1].stored < limit * 1.02


@pytest.mark.parametrize(
    ("form", "values", "size", "kept", "complaint"),
    [
        (positions.GAPS, [3, 4], 9, 3, "2 survivors instead of 3"),
        (positions.GAPS, [3, 4], 8, 2, "beyond the 8 weights"),
        (positions.GAPS, [255, 255], 300, 2, "beyond the 300 weights"),
        (positions.GAPS, [0, 255], 300, 1, "leads to no survivor"),
        (positions.BITMASK, [0b11000000], 8, 3, "2 survivors instead of 3"),
        (positions.BITMASK, [0b11000001], 7, 3, "beyond the 7 weights"),
    ],
)
def test_positions_that_cannot_be_are_refused(form, values, size, kept, complaint):
    for length in (1, 2):
        with pytest.raises(ModelFileError, match=complaint):
            decoded(form, cut(values, length), size, kept)
