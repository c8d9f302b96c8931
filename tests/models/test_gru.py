"""The GRU layer against a plain loop; its custom VJP against autodiff of a naive scan and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models.gru import gru_layer
from tests.support import numpy_seq2seq
from tests.support.finite_differences import assert_gradients

T, B, IN, H = 5, 3, 7, 2  # IN > 3H: the gradient of x then determines that of every pre-activation
LENGTHS = (5, 3, 0)  # words of each sentence: full, padded, padding alone

LEFT = np.array([[t >= T - n for n in LENGTHS] for t in range(T)])[..., None]
RIGHT = np.array([[t < n for n in LENGTHS] for t in range(T)])[..., None]


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def make_inputs(bias):
    rng = np.random.default_rng(7)
    shapes = {"kernel": (IN + H, 3 * H), "bias": (3 * H,), "x": (T, B, IN), "h_0": (B, H)}
    inputs = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    if not bias:
        del inputs["bias"]
    return inputs


def plain_loop(inputs, keep, reverse):
    """(h [T, B, H], h_T [B, H]); where `keep` is False the state is carried through."""
    hs, last = np.zeros((T, B, H)), np.zeros((B, H))
    for b in range(B):
        h = inputs["h_0"][b]
        for t in range(T)[:: -1 if reverse else 1]:
            if keep is None or keep[t, b, 0]:
                h = numpy_seq2seq.gru_cell(inputs["kernel"], inputs.get("bias"), inputs["x"][t, b], h)
            hs[t, b] = h
        last[b] = h
    return hs, last


def layer(inputs, keep, reverse):
    h, (last,) = gru_layer(inputs["kernel"], inputs.get("bias"), inputs["x"], (inputs["h_0"],), keep, reverse)
    return h, last


def naive_scan(inputs, keep, reverse):
    """The layer as `lax.scan` with everything inside the step, for autodiff."""

    def step(h, x_keep):
        x_t, keep_t = x_keep
        r, z, n = jnp.split(x_t @ inputs["kernel"][:IN] + inputs.get("bias", 0), 3, -1)
        r_h, z_h, n_h = jnp.split(h @ inputs["kernel"][IN:], 3, -1)
        z = jax.nn.sigmoid(z + z_h)
        h = jnp.where(keep_t, (1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + r_h) * n_h) + z * h, h)
        return h, h

    keep = np.ones((T, B, 1), bool) if keep is None else keep
    last, hs = jax.lax.scan(step, inputs["h_0"], (inputs["x"], keep), reverse=reverse)
    return hs, last


@pytest.mark.parametrize(
    ("reverse", "bias", "keeps"), [(False, True, (LEFT, RIGHT)), (True, False, (LEFT, RIGHT)), (True, True, (None,))]
)
def test_layer_and_its_gradients(reverse, bias, keeps):
    inputs = make_inputs(bias)
    rng = np.random.default_rng(3)
    cotangents = tuple(rng.standard_normal(shape) for shape in ((T, B, H), (B, H)))  # hidden states, and the last

    def loss(run, inputs, keep):
        outputs = run(inputs, keep, reverse)
        return sum((c * part).sum() for c, part in zip(cotangents, outputs)), outputs

    @jax.jit
    def both(inputs, keep):
        (value, outputs), gradients = jax.value_and_grad(partial(loss, layer), has_aux=True)(inputs, keep)
        return outputs, (value, gradients), jax.grad(partial(loss, naive_scan), has_aux=True)(inputs, keep)[0]

    for keep in keeps:
        outputs, (_, gradients), naive = both(inputs, keep)
        for name, got, expected in zip(("h", "h_T"), outputs, plain_loop(inputs, keep, reverse)):
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14, err_msg=name)
        assert set(gradients) == set(naive) == set(inputs)
        for name, expected in naive.items():
            assert np.abs(expected).max() > 1e-3
            np.testing.assert_allclose(gradients[name], expected, rtol=1e-10, atol=1e-12, err_msg=name)
        assert_gradients(lambda moved, keep=keep: both(moved, keep)[1], inputs)
