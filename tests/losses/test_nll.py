"""Cross-entropy against float64 numpy, and its custom VJP against a naive formula and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.losses import cross_entropy, softmax_layer
from tests.support.finite_differences import assert_gradients

T, B, H, V = 3, 2, 4, 5
RNG = np.random.default_rng(0)
HIDDEN, KERNEL, BIAS = RNG.standard_normal((T, B, H)), RNG.standard_normal((H, V)), RNG.standard_normal(V)
LABELS = RNG.integers(0, V, (T, B))
WEIGHTS = np.array([[1, 1], [1, 0], [2.5, 0]])


def expected_losses(logits, labels, smoothing):
    loss, nll = np.zeros(labels.shape), np.zeros(labels.shape)
    for place in np.ndindex(labels.shape):
        scores = np.float64(logits[place])
        log_p = scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())
        q = np.full(len(scores), smoothing / len(scores))
        q[labels[place]] += 1 - smoothing
        loss[place], nll[place] = -(q * log_p).sum(), -log_p[labels[place]]
    return loss, nll


def naive(arguments, smoothing):
    log_p = jax.nn.log_softmax(arguments["hidden"] @ arguments["kernel"] + arguments.get("bias", 0))
    q = (1 - smoothing) * jax.nn.one_hot(LABELS, V) + smoothing / V
    return -((q * log_p).sum(-1) * WEIGHTS).sum()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("parts", [1, 2])
def test_values_and_gradients(smoothing, bias, parts, monkeypatch):
    monkeypatch.setattr(softmax_layer, "LOGITS_BYTES", 4 * T * B * V // parts)

    def loss(arguments):
        return cross_entropy(
            arguments["hidden"], arguments["kernel"], arguments.get("bias"), LABELS, WEIGHTS, smoothing
        )

    ours = jax.jit(jax.value_and_grad(lambda arguments: (3 * loss(arguments)[0], loss(arguments)), has_aux=True))
    with jax.enable_x64(True):
        arguments = {"hidden": jnp.asarray(HIDDEN), "kernel": jnp.asarray(KERNEL)}
        if bias:
            arguments["bias"] = jnp.asarray(BIAS)
        expected = [
            (WEIGHTS * each).sum()
            for each in expected_losses(HIDDEN @ KERNEL + (BIAS if bias else 0), LABELS, smoothing)
        ]
        (_, losses), gradients = ours(arguments)
        np.testing.assert_allclose(losses, expected, rtol=1e-12)
        np.testing.assert_allclose(jax.jit(loss)(arguments), expected, rtol=1e-12)
        naive_gradients = jax.grad(lambda a: 3 * naive(a, smoothing))(arguments)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-13), gradients, naive_gradients)
        assert_gradients(lambda moved: (ours(moved)[0][0], ours(moved)[1]), arguments)


@pytest.mark.parametrize("steps", [1, 5, 7])
def test_the_parts_cover_every_step_once_within_the_limit(steps, monkeypatch):
    hidden, kernel = np.zeros((steps, B, H)), np.zeros((H, V))
    for steps_at_once in range(1, steps + 2):
        monkeypatch.setattr(softmax_layer, "LOGITS_BYTES", 4 * B * V * steps_at_once)
        parts = softmax_layer.parts(hidden, kernel)
        assert [t for part in parts for t in range(steps)[part]] == list(range(steps))
        assert max(part.stop - part.start for part in parts) <= steps_at_once
        assert len(parts) == -(-steps // steps_at_once)


def test_a_limit_below_one_step_takes_the_steps_one_by_one(monkeypatch):
    monkeypatch.setattr(softmax_layer, "LOGITS_BYTES", 1)
    assert len(softmax_layer.parts(np.zeros((4, B, H)), np.zeros((H, V)))) == 4


def test_nll_is_a_constant_for_differentiation():
    gradient = jax.grad(lambda hidden: cross_entropy(hidden, KERNEL, None, LABELS, WEIGHTS, 0.1)[1])(
        jnp.asarray(HIDDEN, jnp.float32)
    )
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(
    ("logits", "label"),
    [([1e4, -1e4, 0, 0], 1), ([-1e30, -1e30, -1e30, -1e30], 0), ([80, 90, 100, 1e5], 3)],
)
def test_extreme_logits_stay_finite(logits, label, smoothing):
    row, hidden, weight = np.array([logits], np.float32), np.ones((1, 1, 1), np.float32), np.ones((1, 1), np.float32)

    def run(kernel):  # one row of weights, read by a hidden value of 1: the logits are that row
        return cross_entropy(hidden, kernel, None, np.array([[label]]), weight, smoothing)

    (loss, nll), pullback = jax.vjp(run, row)
    expected_loss, expected_nll = expected_losses(row, np.array([label]), smoothing)
    np.testing.assert_allclose(loss, expected_loss[0], rtol=1e-6)
    np.testing.assert_allclose(nll, expected_nll[0], rtol=1e-6)
    # p - q: the probabilities are 0, 1/4 or 1 here, up to exp(-1e4).
    p = np.where(row[0] == row.max(), 1 / (row == row.max()).sum(), 0)
    (gradient,) = pullback((jnp.ones(()), jnp.zeros(())))
    np.testing.assert_allclose(gradient[0], p - (1 - smoothing) * np.eye(4)[label] - smoothing / 4, atol=1e-6)


def test_without_smoothing_the_loss_is_the_nll():
    arguments = [jnp.asarray(a, jnp.float32) for a in (HIDDEN, KERNEL)]
    loss, nll = cross_entropy(*arguments, None, LABELS, jnp.asarray(WEIGHTS, jnp.float32))
    assert loss == nll
    np.testing.assert_allclose(loss, (WEIGHTS * expected_losses(HIDDEN @ KERNEL, LABELS, 0)[0]).sum(), rtol=1e-5)


def test_narrow_products_leave_wide_sums():
    arguments = {"hidden": jnp.asarray(HIDDEN, jnp.bfloat16), "kernel": jnp.asarray(KERNEL, jnp.float32)}
    weights = jnp.asarray(WEIGHTS, jnp.float32)

    def loss(a):
        return cross_entropy(a["hidden"], a["kernel"], None, LABELS, weights, 0.1)[0]

    value, gradients = jax.value_and_grad(loss)(arguments)
    wide = jax.tree.map(lambda a: a.astype(jnp.float32), arguments)
    expected, wide_gradients = jax.value_and_grad(loss)(wide)
    assert value.dtype == gradients["kernel"].dtype == jnp.float32
    assert gradients["hidden"].dtype == jnp.bfloat16
    # Each kernel element is rounded by at most 2^-9 of itself, and so is p - q; H = 4 products are summed.
    assert abs(value - expected) <= 2**-8 * np.abs(HIDDEN).max() * np.abs(KERNEL).max() * H * WEIGHTS.sum()
    for name, gradient in gradients.items():
        scale = np.abs(wide_gradients[name]).max()
        np.testing.assert_allclose(gradient.astype(jnp.float32), wide_gradients[name], atol=0.02 * scale)
