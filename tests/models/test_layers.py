"""The layers' parameters by their formulas, and embedding and encoder layer against numpy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models.config import Seq2SeqConfig
from seq2slim.models.layers import Affine, Attention, Embedding, EncoderLayer, Stack, decoder_layer
from tests.support import numpy_seq2seq

KEY = jax.random.key(0)
S, B, E, H = 4, 3, 5, 6


def config(**options):
    return Seq2SeqConfig(20, 18, **{"layers": 3, "units": H, "embedding": E, "init_scale": 0.5} | options)


def shapes(variables):
    return jax.tree.map(lambda leaf: leaf.shape, variables["params"])


def test_an_embedding_reads_its_rows():
    layer = Embedding(20, E, 0.1)
    ids = np.array([[3, 0], [19, 3]])
    variables = jax.jit(layer.init)(KEY, ids)
    table = variables["params"]["embedding"]
    assert table.shape == (20, E)
    np.testing.assert_array_equal(layer.apply(variables, ids), np.asarray(table)[ids])


def test_parameters_start_uniform_in_the_scale():
    (kernel, bias), _ = jax.jit(Affine(50, 80, 0.3, bias=True).init_with_output)(KEY)
    assert kernel.shape == (50, 80)
    assert bias.shape == (80,)
    values = np.asarray(kernel).ravel()
    assert np.abs(values).max() <= 0.3
    assert np.std(values) == pytest.approx(0.3 / np.sqrt(3), rel=0.05)  # of a uniform distribution


def test_a_bias_is_optional():
    (_, bias), variables = jax.eval_shape(Affine(5, 8, 0.3, bias=False).init_with_output, KEY)
    assert bias is None
    assert shapes(variables) == {"kernel": (5, 8)}


def test_bfloat16_is_of_the_outputs_and_not_of_the_parameters():
    for layer, inputs in (
        (Affine(3, 4, 0.1, True, "bfloat16"), ()),
        (Embedding(9, E, 0.1, "bfloat16"), (np.arange(3),)),
    ):
        outputs, variables = jax.eval_shape(layer.init_with_output, KEY, *inputs)
        assert {leaf.dtype for leaf in jax.tree.leaves(outputs)} == {jnp.dtype(jnp.bfloat16)}
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize(("cell", "bidirectional"), [("lstm", True), ("gru", False)])
def test_an_encoder_layer_is_one_or_two_loops(cell, bidirectional):
    settings = config(cell=cell, bidirectional=bidirectional, lstm_bias=True)
    x = np.random.default_rng(0).standard_normal((S, B, E)).astype(np.float32)
    (h, state), variables = jax.jit(EncoderLayer(settings, E).init_with_output)(KEY, x, np.ones((S, B, 1), bool))
    params = jax.tree.map(np.asarray, variables["params"])
    units = H // 2 if bidirectional else H
    zeros = (np.zeros(units),) * (2 if cell == "lstm" else 1)
    directions = {"forward": x, "backward": x[::-1]} if bidirectional else {"forward": x}
    assert params.keys() == directions.keys()
    for b in range(B):
        for place, (name, read) in enumerate(directions.items()):
            hs, last = numpy_seq2seq.layer(params[name]["kernel"], params[name]["bias"], read[:, b], zeros)
            own = slice(place * units, (place + 1) * units)
            wanted = hs if name == "forward" else hs[::-1]
            np.testing.assert_allclose(h[:, b, own], np.array(wanted), rtol=1e-4, atol=1e-5)
            for found, part in zip(state, last, strict=True):
                np.testing.assert_allclose(found[b, own], part, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"attention": "dot"}, {}),
        ({"attention": "general"}, {"score": (H, H)}),
        ({"attention": "concat"}, {"score": (2 * H, H), "score_vector": (H,)}),
        ({"attention": "dot", "attention_span": "local_p"}, {"position": (H, H), "position_vector": (H,)}),
    ],
)
def test_attention_has_the_parameters_of_its_kind(options, wanted):
    kernels, variables = jax.eval_shape(Attention(config(**options)).init_with_output, KEY)
    assert shapes(variables) == {"kernel": (2 * H, H)} | wanted
    present = {name for name, kernel in kernels._asdict().items() if kernel is not None}
    assert present == {"kernel", *wanted}


@pytest.mark.parametrize(("cell", "blocks"), [("lstm", 4), ("gru", 3)])
def test_a_stack_reads_its_inputs_in_the_first_layer_only(cell, blocks):
    stack = Stack(config(cell=cell), E + H, decoder_layer)

    def run(stack):
        return [layer() for layer in stack.layers]

    variables = jax.eval_shape(partial(stack.init, method=run), KEY)
    assert shapes(variables) == {
        "layer_1": {"kernel": (E + H + H, blocks * H)},
        "layer_2": {"kernel": (H + H, blocks * H)},
        "layer_3": {"kernel": (H + H, blocks * H)},
    }
