"""The LSTM layer against a plain loop; its custom VJP against autodiff of a naive scan and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models.lstm import lstm_layer
from tests.support import numpy_seq2seq
from tests.support.finite_differences import assert_gradients

T, B, IN, H = 5, 3, 9, 2  # IN > 4H: the gradient of x then determines that of every pre-activation
LENGTHS = (5, 3, 0)  # words of each sentence: full, padded, padding alone

LEFT = np.array([[t >= T - n for n in LENGTHS] for t in range(T)])[..., None]
RIGHT = np.array([[t < n for n in LENGTHS] for t in range(T)])[..., None]


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def make_inputs(bias):
    rng = np.random.default_rng(7)
    shapes = {"kernel": (IN + H, 4 * H), "bias": (4 * H,), "x": (T, B, IN), "h_0": (B, H), "c_0": (B, H)}
    inputs = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    if not bias:
        del inputs["bias"]
    return inputs


def plain_loop(inputs, keep, reverse):
    """(h [T, B, H], h_T [B, H], c_T [B, H]); where `keep` is False the state is carried through."""
    hs, last_h, last_c = np.zeros((T, B, H)), np.zeros((B, H)), np.zeros((B, H))
    for b in range(B):
        h, c = inputs["h_0"][b], inputs["c_0"][b]
        for t in range(T)[:: -1 if reverse else 1]:
            if keep is None or keep[t, b, 0]:
                h, c = numpy_seq2seq.lstm_cell(inputs["kernel"], inputs.get("bias"), inputs["x"][t, b], h, c)
            hs[t, b] = h
        last_h[b], last_c[b] = h, c
    return hs, last_h, last_c


def layer(inputs, keep, reverse):
    h, (h_last, c_last) = lstm_layer(
        inputs["kernel"], inputs.get("bias"), inputs["x"], (inputs["h_0"], inputs["c_0"]), keep, reverse
    )
    return h, h_last, c_last


def naive_scan(inputs, keep, reverse):
    """The layer as `lax.scan` with everything inside the step, for autodiff."""

    def step(carry, x_keep):
        h, c = carry
        x_t, keep_t = x_keep
        z = jnp.concatenate([x_t, h], -1) @ inputs["kernel"] + inputs.get("bias", 0)
        i, f, o, g = jnp.split(z, 4, -1)
        c_t = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h_t = jax.nn.sigmoid(o) * jnp.tanh(c_t)
        h_t, c_t = jnp.where(keep_t, h_t, h), jnp.where(keep_t, c_t, c)
        return (h_t, c_t), h_t

    keep = np.ones((T, B, 1), bool) if keep is None else keep
    (h, c), hs = jax.lax.scan(step, (inputs["h_0"], inputs["c_0"]), (inputs["x"], keep), reverse=reverse)
    return hs, h, c


def make_both(reverse, cotangents):
    """A jitted (inputs, keep) -> (outputs, (sum of cotangents * outputs, gradients), gradients of the naive scan)."""

    def loss(run, inputs, keep):
        outputs = run(inputs, keep, reverse)
        return sum((c * part).sum() for c, part in zip(cotangents, outputs)), outputs

    @jax.jit
    def both(inputs, keep):
        (value, outputs), gradients = jax.value_and_grad(partial(loss, layer), has_aux=True)(inputs, keep)
        return outputs, (value, gradients), jax.grad(partial(loss, naive_scan), has_aux=True)(inputs, keep)[0]

    return both


@pytest.mark.parametrize(
    ("reverse", "bias", "keeps"), [(False, True, (LEFT, RIGHT)), (True, False, (LEFT, RIGHT)), (True, True, (None,))]
)
def test_layer_and_its_gradients(reverse, bias, keeps):
    inputs = make_inputs(bias)
    rng = np.random.default_rng(3)
    # Of every output: all hidden states, those at padding too, and the last h and c.
    cotangents = tuple(rng.standard_normal(shape) for shape in ((T, B, H), (B, H), (B, H)))
    both = make_both(reverse, cotangents)
    for keep in keeps:
        outputs, (_, gradients), naive = both(inputs, keep)
        for name, got, expected in zip(("h", "h_T", "c_T"), outputs, plain_loop(inputs, keep, reverse)):
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14, err_msg=name)
        assert set(gradients) == set(naive) == set(inputs)
        for name, expected in naive.items():
            assert np.abs(expected).max() > 1e-3
            np.testing.assert_allclose(gradients[name], expected, rtol=1e-10, atol=1e-12, err_msg=name)
        assert_gradients(lambda moved, keep=keep: both(moved, keep)[1], inputs)


def test_words_are_all_that_matters():
    """A padded layer leaves, at the words, what an unpadded sentence gives, and the same last state on either side."""
    inputs = make_inputs(True)
    n = LENGTHS[1]
    words = inputs["x"][:n, 1]
    h_alone, (h_last, c_last) = numpy_seq2seq.lstm(
        inputs["kernel"], inputs["bias"], words, inputs["h_0"][1], inputs["c_0"][1]
    )
    for padding, place in ((LEFT, slice(T - n, T)), (RIGHT, slice(0, n))):
        x = np.full((T, B, IN), 9.0)
        x[place, 1] = words
        h, last, cell = layer(inputs | {"x": x}, padding, False)
        np.testing.assert_allclose(h[place, 1], np.array(h_alone), rtol=1e-12)
        np.testing.assert_allclose(last[1], h_last, rtol=1e-12)
        np.testing.assert_allclose(cell[1], c_last, rtol=1e-12)
