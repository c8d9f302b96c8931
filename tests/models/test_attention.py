"""Attention against a loop over sentences, steps and positions."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models.attention import AttentionKernels, attend, attention_keys, attention_weights, local_weights
from seq2slim.models.seq2seq import Memory
from tests.support import numpy_seq2seq

B, T, S, H = 4, 4, 5, 6
WORDS = [[0, 1, 2, 3, 4], [2, 3, 4], [0, 1], [4]]  # positions of each sentence's words: full, left- and right-padded
MASK = np.array([[s in words for s in range(S)] for words in WORDS])
GENERAL, CONCAT = {"score": (H, H)}, {"score": (2 * H, H), "score_vector": (H,)}
LOCAL = {"position": (H, H), "position_vector": (H,)}
KINDS = {
    "dot": ({}, 0),
    "general": (GENERAL, 0),
    "concat": (CONCAT, 0),
    "local-p, dot": (LOCAL, 1),
    "local-p, general": (GENERAL | LOCAL, 2),
}


def make_inputs(kind="general"):
    """(kernels by name, h, encoder states), float64."""
    rng = np.random.default_rng(0)
    shapes = {"kernel": (2 * H, H)} | KINDS[kind][0]
    kernels = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    return kernels, rng.standard_normal((B, T, H)), rng.standard_normal((B, S, H))


@partial(jax.jit, static_argnums=3)
def attended(kernels, h, states, window, mask=MASK):
    kernels = AttentionKernels(**kernels)
    return attend(kernels, h, Memory(states, mask, attention_keys(kernels, states)), window)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_plain_loop_over_words_alone(kind):
    kernels, h, states = make_inputs(kind)
    window = KINDS[kind][1]
    with jax.enable_x64(True):
        vectors, weights = map(np.asarray, attended(kernels, h, states, window))
    assert vectors.shape == (B, T, H)
    outside = 0
    for b, words in enumerate(WORDS):
        for t in range(T):
            vector, expected = numpy_seq2seq.attend(h[b, t], states[b, words], **kernels, window=window)
            np.testing.assert_allclose(vectors[b, t], vector, rtol=1e-12)
            np.testing.assert_allclose(weights[b, t, words], expected, rtol=1e-12)
            outside += (expected == 0).sum()
    assert (np.asarray(weights)[~np.broadcast_to(MASK[:, None], weights.shape)] == 0).all()
    assert (outside > 0) == bool(window)  # the windows are narrower than the sentences


def test_local_positions_count_words_and_not_padding():
    """With equal scores a weight is Gaussian / words in the window, wherever the padding stands; p_t = S / 2 here."""
    weights = np.asarray(local_weights(jnp.zeros((B, S)), MASK, jnp.zeros(B), window=2))
    for b, words in enumerate(WORDS):
        distances = np.arange(1, len(words) + 1) - len(words) / 2
        inside = np.abs(distances) <= 2
        expected = np.where(inside, np.exp(-(distances**2) / 2) / inside.sum(), 0)
        np.testing.assert_allclose(weights[b, words], expected, rtol=1e-6)
    # One word is within any window, wherever in (0, 1) its centre falls.
    for centre in (-50.0, 50.0):
        assert np.asarray(local_weights(jnp.zeros((B, S)), MASK, jnp.full(B, centre), window=1))[3, 4] > 0.1


def test_padding_gets_exactly_zero_whatever_the_scores():
    mask = MASK
    # Padding that scores far above the words, and words that score far below zero.
    scores = jnp.where(mask, -1e4, 1e4) + jnp.arange(S, dtype=jnp.float32)
    weights = np.asarray(attention_weights(scores, mask))
    assert (weights[~mask] == 0.0).all()
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    exponentials = np.where(mask, np.exp(np.arange(S)), 0)
    np.testing.assert_allclose(weights, exponentials / exponentials.sum(-1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("kind", ["general", "concat", "local-p, dot"])
def test_a_sentence_of_padding_alone_is_finite_forwards_and_backwards(kind):
    mask = MASK & (np.arange(B) != 1)[:, None]
    value, gradients = jax.value_and_grad(lambda inputs: attended(*inputs, KINDS[kind][1], mask)[0].sum())(
        jax.tree.map(jnp.asarray, make_inputs(kind))
    )
    assert np.isfinite(value)
    for gradient in jax.tree.leaves(gradients):
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 0
