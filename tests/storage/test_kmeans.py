"""One-dimensional k-means against the textbook loop over all pairs of value and centre."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2slim.storage import kmeans


def lloyd_by_loop(values, centres):
    values, centres = [float(v) for v in values], [float(c) for c in centres]
    for _ in range(2000):
        owner = [min(range(len(centres)), key=lambda k, v=v: (abs(v - centres[k]), k)) for v in values]
        new = [
            np.mean([v for v, o in zip(values, owner) if o == k]) if k in owner else centres[k]
            for k in range(len(centres))
        ]
        if np.allclose(new, centres, rtol=0, atol=1e-15):
            break
        centres = new
    return centres, [owner.count(k) for k in range(len(centres))]


@pytest.mark.parametrize("seed", range(5))
def test_it_is_lloyds_iteration(seed):
    values = np.sort(np.random.default_rng(seed).standard_t(3, 300)).astype(np.float32)
    start = np.linspace(values[0], values[-1], 7)
    found, members = kmeans.kmeans(values.astype(np.float64), np.ones(300), start)
    centres, counts = lloyd_by_loop(values, start)
    np.testing.assert_allclose(found, centres, rtol=1e-9)
    np.testing.assert_array_equal(members, counts)


def test_weights_count_as_repetitions():
    points, times = np.array([-2.0, -1.0, 0.5, 3.0, 3.5]), np.array([1, 5, 2, 7, 1])
    start = np.linspace(-2, 3.5, 3)
    weighted = kmeans.kmeans(points, times.astype(float), start)
    repeated = kmeans.kmeans(np.repeat(points, times), np.ones(times.sum()), start)
    np.testing.assert_allclose(weighted[0], repeated[0])
    np.testing.assert_array_equal(weighted[1], repeated[1])


finite = st.floats(-(2.0**99), 2.0**99, width=32)


@settings(max_examples=100, deadline=None)
@given(st.lists(finite, min_size=1, max_size=60), st.sampled_from([2, 3, 16]))
@example([35184376283136.0, -1.1456849265966651e29, -2.023441668421238e29], 2)  # a mean of which rounding was all
def test_a_codebook_covers_its_values(values, entries):
    values = np.array(values, np.float32)
    centres = kmeans.codebook(values, entries)
    assert centres.dtype == np.float32
    assert 1 <= len(centres) <= entries
    assert (np.diff(centres) > 0).all()
    assert values.min() <= centres[0]
    assert centres[-1] <= values.max()
    if len(np.unique(values)) <= entries:  # nothing to approximate
        np.testing.assert_array_equal(centres, np.unique(values))
    index = kmeans.nearest(centres, values)
    distance = np.abs(values.astype(np.float64)[:, None] - centres.astype(np.float64))
    np.testing.assert_array_equal(index, distance.argmin(axis=1))  # argmin: the lower of two equally near
    assert (centres[index][values == 0] == 0).all()


def test_many_values_are_counted_in_bins_and_give_nearly_the_same(monkeypatch):
    values = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    values = np.append(values[np.abs(values) > 1.2], np.zeros(100, np.float32))
    exact = kmeans.codebook(values, 16)
    monkeypatch.setattr(kmeans, "_EXACT", 1000)
    monkeypatch.setattr(kmeans, "_SEGMENT", 3000)
    binned = kmeans.codebook(values, 16)
    assert 0 in binned
    assert len(binned) == len(exact)
    errors = [np.square(centres[kmeans.nearest(centres, values)] - values).mean() for centres in (exact, binned)]
    assert errors[1] == pytest.approx(errors[0], rel=0.02)
