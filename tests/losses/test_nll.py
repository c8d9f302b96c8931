"""Cross-entropy against float64 log-softmax in numpy, and its vjp against a naive formula and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.losses import cross_entropy
from tests.models.finite_differences import assert_gradients

SHAPE, V = (2, 3), 5
RNG = np.random.default_rng(0)
LOGITS = 3 * RNG.standard_normal((*SHAPE, V))
LABELS = RNG.integers(0, V, SHAPE)
COTANGENT = RNG.standard_normal(SHAPE)


def expected_losses(logits, labels, smoothing):
    loss, nll = np.zeros(labels.shape), np.zeros(labels.shape)
    for place in np.ndindex(labels.shape):
        scores = np.float64(logits[place])
        log_p = scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())
        q = np.full(len(scores), smoothing / len(scores))
        q[labels[place]] += 1 - smoothing
        loss[place], nll[place] = -(q * log_p).sum(), -log_p[labels[place]]
    return loss, nll


def naive(logits, smoothing):
    log_p = jax.nn.log_softmax(logits)
    q = (1 - smoothing) * jax.nn.one_hot(LABELS, V) + smoothing / V
    return -(q * log_p).sum(-1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_values_and_gradients(smoothing):
    def loss(arguments):
        loss, nll = cross_entropy(arguments["logits"], LABELS, smoothing)
        return (COTANGENT * loss).sum(), (loss, nll)

    ours = jax.jit(jax.value_and_grad(loss, has_aux=True))
    with jax.enable_x64(True):
        arguments = {"logits": jnp.asarray(LOGITS)}
        (_, losses), gradients = ours(arguments)
        expected = jax.grad(lambda logits: (COTANGENT * naive(logits, smoothing)).sum())(arguments["logits"])
        np.testing.assert_allclose(losses, expected_losses(LOGITS, LABELS, smoothing), rtol=1e-12)
        np.testing.assert_allclose(gradients["logits"], expected, rtol=1e-10, atol=1e-13)
        assert_gradients(lambda moved: (ours(moved)[0][0], ours(moved)[1]), arguments)


def test_nll_is_a_constant_for_differentiation():
    gradient = jax.grad(lambda logits: cross_entropy(logits, LABELS, 0.1)[1].sum())(jnp.asarray(LOGITS))
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_extreme_logits_stay_finite(smoothing):
    logits = np.array([[1e4, -1e4, 0, 0], [-1e30, -1e30, -1e30, -1e30], [80, 90, 100, 1e5]], np.float32)
    labels = np.array([1, 0, 3])
    run = partial(cross_entropy, labels=labels, label_smoothing=smoothing)
    (loss, nll), pullback = jax.vjp(run, jnp.asarray(logits))
    expected_loss, expected_nll = expected_losses(logits, labels, smoothing)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-6)
    np.testing.assert_allclose(nll, expected_nll, rtol=1e-6)
    gradient = np.asarray(pullback((jnp.ones(3), jnp.zeros(3)))[0])
    # p - q: the probabilities are 0, 1/4 or 1 here, up to exp(-1e4).
    p = np.array([[1, 0, 0, 0], [0.25] * 4, [0, 0, 0, 1]])
    np.testing.assert_allclose(gradient, p - (1 - smoothing) * np.eye(4)[labels] - smoothing / 4, atol=1e-6)


def test_without_smoothing_the_loss_is_the_nll():
    loss, nll = cross_entropy(jnp.asarray(LOGITS, jnp.float32), LABELS)
    np.testing.assert_array_equal(loss, nll)
    np.testing.assert_allclose(loss, expected_losses(LOGITS, LABELS, 0)[0], rtol=1e-5)
