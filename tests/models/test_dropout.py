"""Dropout keeps the expectation, and depends on its key alone."""

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim.models.dropout import dropout, scaled, split_key

KEY = jax.random.key(4)


def test_zeroes_at_the_rate_and_scales_what_is_left():
    x = jnp.linspace(1, 2, 20_000)
    y = np.asarray(dropout(KEY, x, 0.3))
    kept = y != 0
    np.testing.assert_allclose(y[kept], (np.asarray(x) / 0.7)[kept], rtol=1e-6)
    deviation = np.sqrt(0.3 * 0.7 / x.size)
    assert abs((1 - kept.mean()) - 0.3) < 5 * deviation
    assert abs((y / np.asarray(x)).mean() - 1) < 5 * deviation / 0.7


def test_is_a_function_of_the_key():
    x = jnp.ones(100)
    np.testing.assert_array_equal(dropout(KEY, x, 0.5), dropout(KEY, x, 0.5))
    assert (dropout(KEY, x, 0.5) != dropout(jax.random.key(5), x, 0.5)).any()


def test_without_key_or_rate_nothing_happens():
    x = jnp.ones(3)
    assert dropout(None, x, 0.5) is x
    assert dropout(KEY, x, 0.0) is x


def test_split_key():
    assert split_key(None, 3) == [None] * 3
    keys = split_key(KEY, 3)
    assert len({tuple(np.asarray(jax.random.key_data(key))) for key in (*keys, KEY)}) == 4


def test_a_traced_rate_drops_what_the_same_constant_drops():
    x = jnp.linspace(-1, 1, 200)
    for dtype in (jnp.float32, jnp.bfloat16):
        found = jax.jit(lambda rate, x: dropout(KEY, x, rate))(jnp.float32(0.25), x.astype(dtype))
        expected = dropout(KEY, x.astype(dtype), 0.25)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found == 0, expected == 0)
        np.testing.assert_allclose(np.float32(found), np.float32(expected), rtol=1e-2)


def test_a_rate_is_scaled_only_where_there_is_one():
    assert scaled(0.5, None) == 0.5
    assert scaled(0.0, jnp.float32(0.5)) == 0.0
    assert scaled(0.5, jnp.float32(0.5)) == 0.25
