"""The decoder with input feeding against a plain loop, and its gradient against autodiff of a naive scan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models.attention import AttentionKernels, attention_keys
from seq2slim.models.cells import CELLS
from seq2slim.models.feeding import fed_decoder
from seq2slim.models.seq2seq import DecoderCarry, Memory
from tests.support import numpy_seq2seq

T, B, S, E, H = 4, 2, 5, 3, 2
MASK = np.array([[True] * S, [False, False, True, True, True]])
WINDOW = 1
# What each adds to W_c, and the cell.
VARIANTS = {
    "lstm, general": ("lstm", {"score": (H, H)}),
    "gru, concat": ("gru", {"score": (2 * H, H), "score_vector": (H,)}),
    "gru, local-p, general": ("gru", {"score": (H, H), "position": (H, H), "position_vector": (H,)}),
}


def make_inputs(variant):
    cell, attention = VARIANTS[variant]
    rng = np.random.default_rng(0)
    columns = CELLS[cell].blocks * H
    return jax.tree.map(
        lambda shape: rng.standard_normal(shape),
        {
            "layers": [{"kernel": (rows, columns), "bias": (columns,)} for rows in (E + 2 * H, 2 * H)],
            "attention": {"kernel": (2 * H, H)} | attention,
            "x": (T, B, E),
            "states": [[(B, H)] * (2 if cell == "lstm" else 1)] * 2,
            "fed": (B, H),
            "memory": (B, S, H),
        },
        is_leaf=lambda node: isinstance(node, tuple),
    )


def fed(inputs):
    layers = [(layer["kernel"], layer["bias"]) for layer in inputs["layers"]]
    kernels = AttentionKernels(**inputs["attention"])
    carry = DecoderCarry(tuple(tuple(state) for state in inputs["states"]), inputs["fed"])
    memory = Memory(inputs["memory"], MASK, attention_keys(kernels, inputs["memory"]))
    cell = CELLS["lstm" if len(inputs["states"][0]) == 2 else "gru"]
    return fed_decoder(cell, layers, kernels, inputs["x"], carry, memory, None, 0.3, WINDOW)


def naive_cell(kernel, bias, x_t, state):
    if len(state) == 2:
        i, f, o, g = jnp.split(jnp.concatenate([x_t, state[0]], -1) @ kernel + bias, 4, -1)
        c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
        return [jax.nn.sigmoid(o) * jnp.tanh(c), c]
    width = x_t.shape[-1]
    (r, z, n), (r_h, z_h, n_h) = (
        jnp.split(product, 3, -1) for product in (x_t @ kernel[:width] + bias, state[0] @ kernel[width:])
    )
    z = jax.nn.sigmoid(z + z_h)
    return [(1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + r_h) * n_h) + z * state[0]]


def naive_attend(h, memory, kernel, score, score_vector=None, position=None, position_vector=None):
    if score_vector is None:
        scores = jnp.einsum("bh,hk,bsk->bs", h, score, memory)
    else:
        both = jnp.concatenate([jnp.broadcast_to(h[:, None], memory.shape), memory], -1)
        scores = jnp.tanh(both @ score) @ score_vector
    exponentials = jnp.where(MASK, jnp.exp(scores), 0)
    gaussian = 1
    if position is not None:
        centre = MASK.sum(1) * jax.nn.sigmoid(jnp.tanh(h @ position) @ position_vector)
        distance = MASK.cumsum(1) - centre[:, None]
        exponentials = jnp.where(jnp.abs(distance) <= WINDOW, exponentials, 0)
        gaussian = jnp.exp(-2 * (distance / WINDOW) ** 2)
    weights = exponentials / exponentials.sum(-1, keepdims=True) * gaussian
    context = jnp.einsum("bs,bsh->bh", weights, memory)
    return jnp.tanh(jnp.concatenate([context, h], -1) @ kernel)


def naive(inputs):
    """The same equations inside one `lax.scan`."""

    def step(carry, x_t):
        states, h = carry
        x_t = jnp.concatenate([x_t, h], -1)
        new = []
        for layer, state in zip(inputs["layers"], states):
            new.append(naive_cell(layer["kernel"], layer["bias"], x_t, state))
            x_t = new[-1][0]
        h = naive_attend(x_t, inputs["memory"], **inputs["attention"])
        return (new, h), h

    return jax.lax.scan(step, (inputs["states"], inputs["fed"]), inputs["x"])[1]


@pytest.fixture(scope="module", params=VARIANTS)
def results(request):
    """(inputs, h~, gradients, gradients of the naive scan) for a random cotangent."""
    cotangent = np.random.default_rng(1).standard_normal((T, B, H))

    @jax.jit
    def both(inputs):
        value, pullback = jax.vjp(fed, inputs)
        _, naive_pullback = jax.vjp(naive, inputs)
        return value, pullback(cotangent)[0], naive_pullback(cotangent)[0]

    inputs = make_inputs(request.param)
    with jax.enable_x64(True):
        return inputs, *jax.tree.map(np.asarray, both(inputs))


def test_equals_the_plain_loop(results):
    inputs, value, _, _ = results
    for b in range(B):
        h = inputs["fed"][b]
        states = [tuple(part[b] for part in state) for state in inputs["states"]]
        for t in range(T):
            x = np.concatenate([inputs["x"][t, b], h])
            for k, layer in enumerate(inputs["layers"]):
                x, states[k] = numpy_seq2seq.cell(layer["kernel"], layer["bias"], x, states[k])
            h, _ = numpy_seq2seq.attend(x, inputs["memory"][b][MASK[b]], **inputs["attention"], window=WINDOW)
            np.testing.assert_allclose(value[t, b], h, rtol=1e-11)


def test_gradients_equal_naive_autodiff(results):
    _, _, gradients, expected = results
    paths = jax.tree_util.tree_leaves_with_path(expected)
    for got, (path, want) in zip(jax.tree.leaves(gradients), paths, strict=True):
        assert np.abs(want).max() > 1e-4
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12, err_msg=jax.tree_util.keystr(path))
