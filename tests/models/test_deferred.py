"""A scan with deferred weight gradients equals `lax.scan` in value and in every gradient."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models.deferred import deferred_scan
from tests.support.finite_differences import assert_gradients

T, B, H, S = 4, 3, 2, 5
EQUATIONS = (("shared", "bi,ih->bh"), ("scores", "bh,bsh->bs"), ("context", "bs,bsh->bh"), ("bias", "b,h->bh"))


def step(product, carry, inputs):
    """Uses every kind of product that the models do, and carry and inputs outside of them too."""
    h, total = carry
    h = jnp.tanh(product("shared", jnp.concatenate([inputs["x"], h], -1)) + product("bias", jnp.ones(B)))
    context = product("context", jax.nn.softmax(product("scores", h)))
    h = h * inputs["scale"] + context
    return (h, total + jnp.sin(h) * h), (h, context)


def naive(constants, carry, xs):
    equations = dict(EQUATIONS)
    return jax.lax.scan(
        lambda c, x: step(lambda name, a: jnp.einsum(equations[name], a, constants[name]), c, x), carry, xs
    )


def deferred(constants, carry, xs):
    return deferred_scan(step, EQUATIONS, constants, carry, xs)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def make_inputs():
    rng = np.random.default_rng(0)
    shapes = {"shared": (2 * H, H), "bias": (H,), "scores": (B, S, H), "context": (B, S, H)}
    return {
        "constants": {name: rng.standard_normal(shape) for name, shape in shapes.items()},
        "carry": (rng.standard_normal((B, H)), rng.standard_normal((B, H))),
        "xs": {"x": rng.standard_normal((T, B, H)), "scale": rng.standard_normal((T, B, H))},
    }


def test_value_and_gradients_equal_lax_scan_and_finite_differences():
    inputs = make_inputs()
    rng = np.random.default_rng(1)
    cotangents = jax.tree.map(
        lambda s: rng.standard_normal(s.shape), jax.eval_shape(lambda inputs: naive(**inputs), inputs)
    )

    def loss(scan, inputs):
        outputs = scan(**inputs)
        return sum(jax.tree.leaves(jax.tree.map(lambda c, y: (c * y).sum(), cotangents, outputs))), outputs

    @jax.jit
    def both(inputs):
        ours, expected = (jax.value_and_grad(partial(loss, scan), has_aux=True)(inputs) for scan in (deferred, naive))
        return ours, expected, deferred(**inputs)

    ((_, value), gradients), ((_, expected), expected_gradients), undifferentiated = both(inputs)
    for got in (value, undifferentiated):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), got, expected)
    for got, want in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected_gradients), strict=True):
        assert np.abs(want).max() > 1e-3
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)

    def value_and_gradients(moved):
        ((value, _), gradients), _, _ = both(moved)
        return value, gradients

    assert_gradients(value_and_gradients, inputs)
