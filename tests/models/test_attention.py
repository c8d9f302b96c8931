"""Global attention against a loop over sentences, steps and positions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models.attention import attend, attention_weights
from tests.models import numpy_seq2seq

B, T, S, H = 3, 4, 5, 6
WORDS = [[0, 1, 2, 3, 4], [2, 3, 4], [0, 1]]  # positions of each sentence's words: full, left-padded, right-padded


def make_inputs():
    rng = np.random.default_rng(0)
    mask = np.array([[s in words for s in range(S)] for words in WORDS])
    shapes = ((2 * H, H), (H, H), (B, T, H), (B, S, H))
    return (*(rng.standard_normal(shape) for shape in shapes), mask)


@pytest.mark.parametrize("general", [False, True])
def test_equals_the_plain_loop_over_words_alone(general):
    kernel, score, h, memory, mask = make_inputs()
    score = score if general else None
    with jax.enable_x64(True):
        vectors, weights = jax.jit(attend)(kernel, score, h, memory, mask)
    assert vectors.shape == (B, T, H)
    for b, words in enumerate(WORDS):
        for t in range(T):
            vector, expected = numpy_seq2seq.attend(kernel, score, h[b, t], memory[b, words])
            np.testing.assert_allclose(vectors[b, t], vector, rtol=1e-12)
            np.testing.assert_allclose(weights[b, t, words], expected, rtol=1e-12)


def test_padding_gets_exactly_zero_whatever_the_scores():
    mask = make_inputs()[-1]
    # Padding that scores far above the words, and words that score far below zero.
    scores = jnp.where(mask, -1e4, 1e4) + jnp.arange(S, dtype=jnp.float32)
    weights = np.asarray(attention_weights(scores, mask))
    assert (weights[~mask] == 0.0).all()
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    exponentials = np.where(mask, np.exp(np.arange(S)), 0)
    np.testing.assert_allclose(weights, exponentials / exponentials.sum(-1, keepdims=True), rtol=1e-5)


def test_a_sentence_of_padding_alone_is_finite_forwards_and_backwards():
    kernel, score, h, memory, mask = (jnp.asarray(x) for x in make_inputs())
    mask = mask.at[1].set(False)
    value, gradients = jax.jit(
        jax.value_and_grad(lambda *arrays: attend(*arrays, mask)[0].sum(), argnums=(0, 1, 2, 3))
    )(kernel, score, h, memory)
    assert np.isfinite(value)
    for gradient in gradients:
        assert np.isfinite(gradient).all()
