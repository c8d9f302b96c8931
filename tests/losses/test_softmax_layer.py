"""The softmax layer against numpy, its gradients against autodiff, and its parts against the bound on memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.losses import softmax_layer

T, B, H, V = 7, 3, 4, 5
RNG = np.random.default_rng(0)
HIDDEN = RNG.standard_normal((T, B, H)).astype(np.float32)
KERNEL = RNG.standard_normal((H, V)).astype(np.float32)
BIAS = RNG.standard_normal(V).astype(np.float32)
D_LOGITS = RNG.standard_normal((T * B, V)).astype(np.float32)


@pytest.mark.parametrize("steps_in_memory", [1, 2, 3, 6, 7, 100])
def test_parts_tile_the_steps_within_the_bound(monkeypatch, steps_in_memory):
    step_bytes = B * V * 4
    monkeypatch.setattr(softmax_layer, "LOGITS_BYTES", steps_in_memory * step_bytes)
    places = [np.arange(T)[part] for part in softmax_layer.parts(HIDDEN, KERNEL)]
    np.testing.assert_array_equal(np.concatenate(places), np.arange(T))
    sizes = [len(steps) for steps in places]
    assert max(sizes) * step_bytes <= softmax_layer.LOGITS_BYTES
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == -(-T // steps_in_memory)


def test_a_step_beyond_the_bound_is_a_part_alone(monkeypatch):
    monkeypatch.setattr(softmax_layer, "LOGITS_BYTES", 1)
    assert len(softmax_layer.parts(HIDDEN, KERNEL)) == T


@pytest.mark.parametrize("bias", [None, BIAS])
def test_logits_are_affine(bias):
    found = softmax_layer.logits(jnp.asarray(HIDDEN), KERNEL, bias)
    wanted = HIDDEN.reshape(-1, H).astype(np.float64) @ KERNEL + (0 if bias is None else bias)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bias", [None, BIAS])
def test_gradients_are_those_of_autodiff(bias):
    def naive(hidden, kernel, bias):
        scores = hidden.reshape(-1, H) @ kernel
        return scores if bias is None else scores + bias

    _, vjp = jax.vjp(naive, HIDDEN, KERNEL, bias)
    for found, wanted in zip(softmax_layer.gradients(HIDDEN, KERNEL, bias, D_LOGITS), vjp(D_LOGITS), strict=True):
        if wanted is None:
            assert found is None
        else:
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_bfloat16_hidden_states_give_float32_logits_and_kernel_gradients():
    """513 ones sum to a number that bfloat16 cannot hold."""
    hidden = jnp.ones((1, 1, 513), jnp.bfloat16)
    kernel = jnp.ones((513, 2), jnp.float32)
    scores = softmax_layer.logits(hidden, kernel, None)
    assert scores.dtype == jnp.float32
    np.testing.assert_array_equal(scores, 513.0)
    d_hidden, d_kernel, _ = softmax_layer.gradients(hidden, kernel, None, jnp.ones((1, 2), jnp.float32))
    assert (d_hidden.dtype, d_kernel.dtype) == (jnp.bfloat16, jnp.float32)
