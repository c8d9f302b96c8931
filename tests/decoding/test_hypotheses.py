"""Hypotheses read back from a random trace, against following its back-pointers one by one."""

import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.decoding.hypotheses import BeamResult, Finished, Trace, n_best, read_back, read_live

T, B, K, EOS, PAD = 6, 3, 4, 3, 0


def random_trace(seed):
    rng = np.random.default_rng(seed)
    trace = Trace(
        token=rng.integers(4, 20, (T, B, K)),
        parent=rng.integers(0, K, (T, B, K)),
        attention=rng.integers(0, 9, (T, B, K)),
    )
    end = rng.integers(-1, T, (B, K))
    score = np.where(end < 0, -np.inf, -rng.random((B, K)))
    return trace, Finished(score, 2 * score, end, rng.integers(0, K, (B, K)))


def followed(trace, finished, b, k):
    """(tokens, attention) of one hypothesis that ended in EOS."""
    end = finished.end[b, k]
    if end < 0:
        return [], []
    slot = finished.parent[b, k]  # of step end - 1, which EOS extended
    tokens, attention = followed_from(trace, b, slot, end - 1)
    return tokens + [EOS], attention + [trace.attention[end, b, slot]]


def followed_from(trace, b, slot, last):
    """(tokens, attention) of the hypothesis in a slot of step `last`, from its last token to its first, reversed."""
    tokens, attention = [], []
    for t in range(last, -1, -1):
        tokens.append(trace.token[t, b, slot])
        slot = trace.parent[t, b, slot]
        attention.append(trace.attention[t, b, slot])
    return tokens[::-1], attention[::-1]


def on_device(part):
    return type(part)(*(jnp.asarray(x, None if x.dtype.kind == "f" else jnp.int32) for x in part))


def assert_padded(result, b, k, tokens, attention):
    """One hypothesis of a result, and nothing after it."""
    filling = T - len(tokens)
    np.testing.assert_array_equal(result.tokens[b, k], tokens + [PAD] * filling)
    np.testing.assert_array_equal(result.attention[b, k], attention + [-1] * filling)


@pytest.mark.parametrize("seed", range(3))
def test_read_back_follows_the_back_pointers(seed):
    trace, finished = random_trace(seed)
    result = read_back(on_device(trace), on_device(finished), eos=EOS, pad=PAD)
    assert result.tokens.shape == result.attention.shape == (B, K, T)
    np.testing.assert_array_equal(result.length, finished.end + 1)
    np.testing.assert_array_equal(result.score, np.float32(finished.score))
    np.testing.assert_array_equal(result.log_prob, np.float32(finished.log_prob))
    for b, k in np.ndindex(B, K):
        assert_padded(result, b, k, *followed(trace, finished, b, k))


def test_without_eos_the_last_token_is_that_of_the_trace():
    trace, finished = random_trace(3)
    result = read_back(on_device(trace), on_device(finished), eos=None, pad=PAD)
    np.testing.assert_array_equal(result.length, finished.end + 1)
    for b, k in np.ndindex(B, K):
        assert_padded(result, b, k, *followed_from(trace, b, finished.parent[b, k], finished.end[b, k]))


@pytest.mark.parametrize("steps", [0, 4, T, np.array([2, 0, 5])])
def test_live_hypotheses_are_read_from_their_own_slots(steps):
    trace, _ = random_trace(4)
    live = np.float32([[-1, -2, -3, -np.inf], [-0.5, -np.inf, -7, -8], [-np.inf] * 4])
    result = read_live(on_device(trace), live, steps, pad=PAD)
    np.testing.assert_array_equal(result.score, live)
    np.testing.assert_array_equal(result.log_prob, live)
    for b, k in np.ndindex(B, K):
        length = np.broadcast_to(steps, B)[b] if live[b, k] > -np.inf else 0
        assert result.length[b, k] == length
        assert_padded(result, b, k, *followed_from(trace, b, k, length - 1))


def ranked():
    places = np.arange(B * K).reshape(B, K)
    return BeamResult(places[..., None] * np.ones(T, int), -places, -places / 2, places, places[..., None] * np.ones(T))


def test_n_best_keeps_the_first_of_each_sentence():
    result = ranked()
    for count in range(1, K + 1):
        best = n_best(result, count)
        assert best.tokens.shape == (B, count, T)
        for field, wanted in zip(best, result, strict=True):
            np.testing.assert_array_equal(field, wanted[:, :count])


@pytest.mark.parametrize("count", [0, K + 1])
def test_n_best_beyond_the_beam_is_an_error(count):
    with pytest.raises(ValueError, match=rf"count must be in 1\.\.{K} .*got {count}"):
        n_best(ranked(), count)
