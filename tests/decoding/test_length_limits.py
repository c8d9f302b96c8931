"""Length limits against their definition in words."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.decoding.length_limits import LIMITS, paper_limits, wide_limits


@pytest.mark.parametrize("source", range(1, 60))
def test_paper_limits_by_definition(source):
    allowed = [words for words in range(200) if 0.5 * source < words <= 1.5 * source]
    assert paper_limits(source) == (min(allowed) + 1, max(allowed) + 1)  # EOS counts


@pytest.mark.parametrize("source", range(1, 60))
def test_wide_limits_by_definition(source):
    allowed = [words for words in range(1, 200) if words <= 1.5 * source or words <= source + 10]
    assert wide_limits(source) == (min(allowed) + 1, max(allowed) + 1)


@pytest.mark.parametrize("name", LIMITS)
def test_same_for_arrays_and_never_contradictory(name):
    limits, lengths = LIMITS[name], np.arange(300, dtype=np.int32)
    each = np.array([limits(int(length)) for length in lengths]).T
    np.testing.assert_array_equal(limits(lengths), each)
    traced = jax.jit(limits)(jnp.asarray(lengths))
    np.testing.assert_array_equal(traced, each)
    assert traced.max_length.dtype == jnp.int32
    low, high = each
    assert low[0] == high[0] == 0  # an empty source is switched off
    assert (low <= high).all()
    assert (np.diff(high) >= 0).all()  # so the padded length bounds them all
