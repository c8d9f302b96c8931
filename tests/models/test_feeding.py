"""The decoder with input feeding against a plain loop, and its gradient against autodiff of a naive scan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models.feeding import fed_decoder
from seq2slim.models.seq2seq import DecoderCarry, Memory
from tests.models import numpy_seq2seq

T, B, S, E, H = 4, 2, 3, 3, 2
MASK = np.array([[True, True, True], [False, True, True]])


def make_inputs():
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda shape: rng.standard_normal(shape),
        {
            "layers": [{"kernel": (E + 2 * H, 4 * H), "bias": (4 * H,)}, {"kernel": (2 * H, 4 * H), "bias": (4 * H,)}],
            "attention": {"kernel": (2 * H, H), "score": (H, H)},
            "x": (T, B, E),
            "states": [[(B, H), (B, H)], [(B, H), (B, H)]],
            "fed": (B, H),
            "memory": (B, S, H),
        },
        is_leaf=lambda node: isinstance(node, tuple),
    )


def fed(inputs):
    layers = [(layer["kernel"], layer["bias"]) for layer in inputs["layers"]]
    kernels = (inputs["attention"]["kernel"], inputs["attention"]["score"])
    carry = DecoderCarry(tuple(tuple(state) for state in inputs["states"]), inputs["fed"])
    return fed_decoder(layers, kernels, inputs["x"], carry, Memory(inputs["memory"], MASK), None, 0.3)


def naive(inputs):
    """The same equations inside one `lax.scan`."""

    def step(carry, x_t):
        states, h = carry
        x_t = jnp.concatenate([x_t, h], -1)
        new = []
        for layer, (h, c) in zip(inputs["layers"], states):
            z = jnp.concatenate([x_t, h], -1) @ layer["kernel"] + layer["bias"]
            i, f, o, g = jnp.split(z, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            x_t = jax.nn.sigmoid(o) * jnp.tanh(c)
            new.append([x_t, c])
        scores = jnp.einsum("bh,hk,bsk->bs", x_t, inputs["attention"]["score"], inputs["memory"])
        exponentials = jnp.where(MASK, jnp.exp(scores), 0)
        weights = exponentials / exponentials.sum(-1, keepdims=True)
        context = jnp.einsum("bs,bsh->bh", weights, inputs["memory"])
        h = jnp.tanh(jnp.concatenate([context, x_t], -1) @ inputs["attention"]["kernel"])
        return (new, h), h

    return jax.lax.scan(step, (inputs["states"], inputs["fed"]), inputs["x"])[1]


@pytest.fixture(scope="module")
def results():
    """(h~, gradients, gradients of the naive scan) for a random cotangent."""
    cotangent = np.random.default_rng(1).standard_normal((T, B, H))

    @jax.jit
    def both(inputs):
        value, pullback = jax.vjp(fed, inputs)
        _, naive_pullback = jax.vjp(naive, inputs)
        return value, pullback(cotangent)[0], naive_pullback(cotangent)[0]

    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, both(make_inputs()))


def test_equals_the_plain_loop(results):
    inputs = make_inputs()
    for b in range(B):
        h = inputs["fed"][b]
        states = [tuple(part[b] for part in state) for state in inputs["states"]]
        for t in range(T):
            x = np.concatenate([inputs["x"][t, b], h])
            for k, layer in enumerate(inputs["layers"]):
                states[k] = numpy_seq2seq.lstm_cell(layer["kernel"], layer["bias"], x, *states[k])
                x = states[k][0]
            h, _ = numpy_seq2seq.attend(**inputs["attention"], h=x, memory=inputs["memory"][b][MASK[b]])
            np.testing.assert_allclose(results[0][t, b], h, rtol=1e-11)


def test_gradients_equal_naive_autodiff(results):
    _, gradients, expected = results
    paths = jax.tree_util.tree_leaves_with_path(expected)
    for got, (path, want) in zip(jax.tree.leaves(gradients), paths, strict=True):
        assert np.abs(want).max() > 1e-4
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12, err_msg=jax.tree_util.keystr(path))
