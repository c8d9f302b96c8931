"""bfloat16 computation against float32, and against exact sums where it must not be narrow."""

import dataclasses
import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.losses import cross_entropy
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params
from seq2slim.models.attention import attention_weights
from seq2slim.models.cells import CELLS
from seq2slim.models.precision import narrow, wide_product

ROUNDOFF = 2.0**-8  # the largest relative error of rounding to bfloat16, which has 8 bits of precision
S, T, LAYERS = 7, 5, 1
PAPER = Seq2SeqConfig(20, 18, layers=LAYERS, units=24, dropout=0.0, compute_dtype="bfloat16")
VARIANTS = {
    "paper": PAPER,
    "gru, local-p, general, fed, bidirectional": dataclasses.replace(
        PAPER, cell="gru", attention="general", attention_span="local_p", window=3, input_feeding=True,
        bidirectional=True, lstm_bias=True, output_bias=True,
    ),
}  # fmt: skip
RNG = np.random.default_rng(0)
SOURCE, TARGET_IN, LABELS = (RNG.integers(4, 18, shape) for shape in ((6, S), (6, T), (T, 6)))
SOURCE[1, :3] = 0


@cache
def params_of(config):
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(partial(init_params, config), jax.random.key(0))
    return jax.tree.map(lambda leaf: np.float32(rng.uniform(-0.3, 0.3, leaf.shape)), shapes)


def measured(config, params):
    """(logits, gradients of the mean loss)."""

    @jax.jit
    def run(params):
        def loss(params):
            model, softmax = Seq2Seq(config), params["softmax"]
            hidden = model.apply({"params": params}, SOURCE, TARGET_IN, method="hidden")
            weights = jnp.full(LABELS.shape, 1 / LABELS.size)
            loss, _ = cross_entropy(hidden, softmax["kernel"], softmax.get("bias"), LABELS, weights)
            return loss, model.apply({"params": params}, SOURCE, TARGET_IN)

        return jax.value_and_grad(loss, has_aux=True)(params)

    (_, logits), gradients = run(params)
    return logits, gradients


@pytest.fixture(scope="module", params=VARIANTS)
def both(request):
    """(config, results in bfloat16, results in float32)."""
    config = VARIANTS[request.param]
    wide = dataclasses.replace(config, compute_dtype="float32")
    return config, measured(config, params_of(config)), measured(wide, params_of(config))


def tolerance():
    """Of the root mean square of the logits' errors, as a fraction of that of the logits.

    The longest way from a word to a logit leads through S + T steps and one layer more on either side. Each rounds
    twice (pre-activations, h), and embedding, query, scores, weights, context and h~ once each, by an error that is
    uniform up to the roundoff. None of the steps makes an error larger here (weights of 0.3 and less, |h| < 1), and
    independent errors add up as their squares do.
    """
    return ROUNDOFF / math.sqrt(3) * math.sqrt(2 * (S + T + 2 * LAYERS) + 6)


def test_logits_are_near_those_of_float32_and_float32_themselves(both):
    _, (logits, _), (expected, _) = both
    assert logits.dtype == jnp.float32
    error = np.sqrt(((logits - expected) ** 2).mean() / (expected**2).mean())
    assert ROUNDOFF / 16 < error < tolerance()  # not zero: the products are narrow


def test_gradients_are_float32_and_point_the_same_way(both):
    _, (_, gradients), (_, expected) = both
    for (path, want), got in zip(
        jax.tree_util.tree_leaves_with_path(expected), jax.tree.leaves(gradients), strict=True
    ):
        name = jax.tree_util.keystr(path)
        assert got.dtype == jnp.float32, name
        got, want = np.ravel(got), np.ravel(want)
        assert got @ want > 0.999 * np.linalg.norm(got) * np.linalg.norm(want), name
        np.testing.assert_allclose(np.linalg.norm(got), np.linalg.norm(want), rtol=2 * tolerance(), err_msg=name)


def test_steps_equal_teacher_forcing(both):
    config, (expected, _), _ = both
    apply = partial(Seq2Seq(config).apply, {"params": params_of(config)})
    memory, carry = jax.jit(partial(apply, method="start"))(SOURCE)
    step = jax.jit(partial(apply, method="step"))
    for t in range(T):
        logits, weights, carry = step(memory, carry, TARGET_IN[:, t])
        assert logits.dtype == weights.dtype == jnp.float32
        assert np.sqrt(((logits - expected[t]) ** 2).mean() / (expected**2).mean()) < tolerance()
    assert memory.states.dtype == jnp.bfloat16
    # What is summed up over the steps is wide: c of an LSTM, h of a GRU.
    wide = [jnp.bfloat16, jnp.float32] if config.cell == "lstm" else [jnp.float32]
    assert [part.dtype for part in carry.layers[0]] == wide


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_of_a_cell_goes_on_growing(cell):
    """Many small terms: a sum of them in bfloat16 would stop where a term is half of its last bit."""
    steps, cell = 1024, CELLS[cell]
    bias = np.zeros(cell.blocks, np.float32)
    if cell.blocks == 4:  # i = f = o = 1 and h^ = 2^-7: c_T = T 2^-7
        bias[:] = 200, 200, 200, np.arctanh(2.0**-7)
        expected, at = steps * 2.0**-7, 1
    else:  # z = sigmoid(6), between two numbers of bfloat16, and n = 1: h_T = 1 - z^T
        bias[:] = 0, 6, 200
        expected, at = 1 - (1 + np.exp(-6)) ** -steps, 0
    x = jnp.zeros((steps, 1, 1), jnp.bfloat16)
    kernel = jnp.zeros((2, cell.blocks), jnp.bfloat16)
    h, state = cell.layer(kernel, narrow(jnp.asarray(bias), "bfloat16"), x, cell.zeros(1, 1, x.dtype))
    assert h.dtype == jnp.bfloat16
    # The pre-activations are rounded: each term is right to a few roundings of its own.
    np.testing.assert_allclose(state[at][0, 0], expected, rtol=4 * ROUNDOFF)


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_of_a_bias_goes_on_growing(cell):
    """Of 4,096 sentences with the same gradient each: a sum in bfloat16 rounds at each addition."""
    cell, sentences = CELLS[cell], 4096
    kernel = jnp.zeros((2, cell.blocks), jnp.bfloat16)

    def total(bias, count):
        x = jnp.zeros((1, count, 1), jnp.bfloat16)
        h, _ = cell.layer(kernel, narrow(bias, "bfloat16"), x, cell.zeros(count, 1, x.dtype))
        return h.astype(jnp.float32).sum()

    bias = jnp.linspace(-1, 1, cell.blocks)
    one, every = jax.grad(total)(bias, 1), jax.grad(total)(bias, sentences)
    np.testing.assert_allclose(every / sentences, one, rtol=2 * ROUNDOFF)


def test_attention_is_a_softmax_in_float32():
    scores = jnp.asarray(RNG.standard_normal((3, 4, 300)), jnp.bfloat16)
    weights = attention_weights(scores, np.ones((3, 300), bool))
    assert weights.dtype == jnp.float32
    exponentials = np.exp(np.float64(scores))
    np.testing.assert_allclose(weights, exponentials / exponentials.sum(-1, keepdims=True), rtol=1e-5)


def test_wide_product_rounds_nothing_but_its_factors():
    x, kernel = (narrow(jnp.float32(RNG.standard_normal(shape)), "bfloat16") for shape in ((4, 3, 500), (500, 6)))
    product, pullback = jax.vjp(wide_product, x, kernel)
    assert product.dtype == jnp.float32
    x64, kernel64 = np.float64(x), np.float64(kernel)
    # A sum of 500 terms in float32, each of at most 10 and exact.
    np.testing.assert_allclose(product, x64 @ kernel64, atol=500 * 10 * 2.0**-24)
    cotangent = RNG.standard_normal(product.shape)
    d_x, d_kernel = pullback(jnp.float32(cotangent))
    assert d_x.dtype == d_kernel.dtype == jnp.bfloat16
    for got, equation, factor in ((d_x, "abv,hv->abh", kernel64), (d_kernel, "abv,abh->hv", x64)):
        want = np.einsum(equation, cotangent, factor)
        # Each term is off by the rounding of its cotangent, and the sum is rounded once.
        bound = ROUNDOFF * (np.einsum(equation, np.abs(cotangent), np.abs(factor)) + np.abs(want))
        assert (np.abs(np.float64(got) - want) <= 1.01 * bound).all()


def test_float32_casts_nothing():
    x = jnp.ones(3)
    assert narrow(x, "float32") is x
