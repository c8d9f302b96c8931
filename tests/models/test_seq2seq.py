"""The whole encoder-decoder against plain loops, step by step, under padding, and where dropout falls."""

import dataclasses
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params
from tests.support import numpy_seq2seq

VOCABULARIES = (9, 8)
SEE = Seq2SeqConfig(*VOCABULARIES, layers=2, units=4, dropout=0.5, init_scale=0.8)
VARIANTS = {
    "dot": SEE,
    "general, fed, biases": dataclasses.replace(
        SEE, attention="general", input_feeding=True, lstm_bias=True, output_bias=True
    ),
    "dot, fed, bidirectional": dataclasses.replace(
        SEE, layers=1, embedding=3, input_feeding=True, bidirectional=True, lstm_bias=True
    ),
    "general, bidirectional": dataclasses.replace(SEE, attention="general", bidirectional=True, lstm_bias=True),
    "no attention": dataclasses.replace(SEE, layers=1, embedding=5, attention="none", output_bias=True),
    "gru, local-p, dot": dataclasses.replace(SEE, cell="gru", attention_span="local_p", window=1, lstm_bias=True),
    "gru, concat, fed, bidirectional": dataclasses.replace(
        SEE, cell="gru", attention="concat", input_feeding=True, bidirectional=True, lstm_bias=True
    ),
    "concat": dataclasses.replace(SEE, layers=1, attention="concat", lstm_bias=True),
    "local-p, general, fed": dataclasses.replace(
        SEE, attention="general", attention_span="local_p", window=2, input_feeding=True, lstm_bias=True
    ),
}

SOURCES = ([5, 3, 8, 1, 2], [7], [2, 2, 6])
TARGETS = ([2, 4, 7, 5], [2, 6, 1, 3], [2, 5, 5, 4])  # as the decoder reads them, BOS first
S = 7


def padded(sources, left, width=S):
    return np.array([[0] * (width - len(s)) * left + s + [0] * (width - len(s)) * (not left) for s in sources])


@cache
def params_of(config):
    """Parameters drawn by numpy in the shapes of the model: nothing to compile."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(partial(init_params, config), jax.random.key(0))
    return jax.tree.map(lambda leaf: np.float32(rng.uniform(-1, 1, leaf.shape) * config.init_scale), shapes)


@cache
def jitted(config, method):
    return jax.jit(lambda params, *args: Seq2Seq(config).apply({"params": params}, *args, method=method))


def logits_of(config, source, target_in, key=None):
    """float32[B, T, V]"""
    out = jitted(config, "__call__")(params_of(config), source, np.array(target_in), key)
    return np.asarray(jnp.swapaxes(out, 0, 1))


@pytest.mark.parametrize("variant", VARIANTS)
def test_teacher_forced_logits_equal_plain_loops_over_unpadded_sentences(variant):
    config = VARIANTS[variant]
    params = jax.tree.map(np.float64, params_of(config))
    for left in (True, False):
        logits = logits_of(config, padded(SOURCES, left), TARGETS)
        for got, source, target_in in zip(logits, SOURCES, TARGETS):
            expected, _ = numpy_seq2seq.translate(params, config, source, target_in)
            assert np.ptp(expected, axis=0).max() > 1e-3
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_steps_of_several_hypotheses_equal_teacher_forcing(variant):
    """Two hypotheses of each sentence side by side, fed the targets of two different sentences."""
    config = VARIANTS[variant]
    source = padded(SOURCES, True)
    memory, carry = jitted(config, "start")(params_of(config), source)
    hypotheses = [(b, k) for b in range(3) for k in (b, (b + 1) % 3)]
    carry = jax.tree.map(lambda x: np.repeat(x, 2, axis=0), carry)
    step = jitted(config, "step")
    params64 = jax.tree.map(np.float64, params_of(config))
    expected = [numpy_seq2seq.translate(params64, config, SOURCES[b], TARGETS[k]) for b, k in hypotheses]
    for t in range(len(TARGETS[0])):
        tokens = np.array([TARGETS[k][t] for _, k in hypotheses], np.int32)
        logits, weights, carry = step(params_of(config), memory, carry, tokens)
        logits, weights = np.asarray(logits), np.asarray(weights)
        assert weights.shape == (6, S)
        for n, (b, _) in enumerate(hypotheses):
            words = len(SOURCES[b])
            np.testing.assert_allclose(logits[n], expected[n][0][t], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(weights[n, S - words :], expected[n][1][t], rtol=1e-4, atol=1e-6)
            assert (weights[n, : S - words] == 0).all()


def test_a_wider_source_changes_nothing():
    config = VARIANTS["general, bidirectional"]
    wide = logits_of(config, padded(SOURCES, True, S + 4), TARGETS)
    np.testing.assert_allclose(wide, logits_of(config, padded(SOURCES, True), TARGETS), rtol=1e-5, atol=1e-6)


def test_a_row_of_padding_alone_is_finite():
    source, target_in = padded([*SOURCES[:2], []], True), [*TARGETS[:2], [0] * 4]
    for variant in ("dot", "general, fed, biases", "gru, local-p, dot", "gru, concat, fed, bidirectional"):
        config = VARIANTS[variant]
        assert np.isfinite(logits_of(config, source, target_in)).all()


def test_initial_parameters_are_uniform_in_the_scale():
    config = Seq2SeqConfig(9, 8, layers=1, units=16, attention="none", lstm_bias=True, init_scale=0.25)
    params = jax.jit(partial(init_params, config))(jax.random.key(1))
    leaves = np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(params)])
    assert np.abs(leaves).max() <= 0.25
    # The moments of a uniform distribution, within five standard errors.
    assert abs(leaves.mean()) < 5 * 0.25 / np.sqrt(3 * leaves.size)
    np.testing.assert_allclose(leaves.var(), 0.25**2 / 3, rtol=5 * np.sqrt(0.8 / leaves.size))


class TestDropout:
    """That it is off without a key, the plain loops above show: their configurations have a rate."""

    def test_is_deterministic_by_key(self):
        source = padded(SOURCES, True)
        first, again, other = (
            logits_of(VARIANTS["general, fed, biases"], source, TARGETS, jax.random.key(k)) for k in (0, 0, 1)
        )
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()

    def test_is_fresh_at_each_step_and_scaled(self):
        """A decoder that shows what it reads: h_t = tanh(tanh(x_t)), with open gates and nothing kept."""
        rate, steps, width = 0.3, 40, 4
        config = Seq2SeqConfig(
            9, 8, layers=1, units=width, attention="none", lstm_bias=True, dropout=rate, init_scale=0.5
        )
        params = jax.tree.map(np.array, params_of(config))
        kernel = np.zeros((2 * width, 4 * width))
        kernel[:width, 3 * width :] = np.eye(width)
        bias = np.repeat([200.0, -200.0, 200.0, 0.0], width)  # i = o = 1, f = 0, exactly
        params["decoder"]["layer_1"] = {"kernel": kernel, "bias": bias}
        target_in = np.full((3, steps), 5)
        h = jitted(config, "hidden")(params, padded(SOURCES, True), target_in, jax.random.key(3))
        read = np.arctanh(np.arctanh(np.asarray(h, np.float64)))
        kept = read != 0
        word = params["target_embedding"]["embedding"][5]
        np.testing.assert_allclose(read[kept], np.broadcast_to(word / (1 - rate), read.shape)[kept], rtol=1e-4)
        assert abs((~kept).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / kept.size)
        # Another mask at each step, in each sentence and for each unit: the same one only as often as chance has it.
        for a, b in ((kept[1:], kept[:-1]), (kept[:, 1:], kept[:, :-1]), (kept[..., 1:], kept[..., :-1])):
            alike = rate**2 + (1 - rate) ** 2
            assert abs((a == b).mean() - alike) < 6 * np.sqrt(alike * (1 - alike) / a.size)

    @pytest.mark.parametrize(
        "variant", ["general, fed, biases", "general, bidirectional", "gru, concat, fed, bidirectional"]
    )
    def test_leaves_the_recurrent_path_and_the_softmax_alone(self, variant):
        """With nothing but recurrent weights and biases, dropout has nothing to drop."""
        config = VARIANTS[variant]
        params = jax.tree.map(np.array, params_of(config))
        for side in ("encoder", "decoder"):
            for leaf in jax.tree.leaves(params[side]):
                if leaf.ndim == 2:  # rows [input; recurrent], and four columns a unit, or three
                    leaf[: -leaf.shape[1] // (4 if config.cell == "lstm" else 3)] = 0
        run = partial(jitted(config, "__call__"), params, padded(SOURCES, True), np.array(TARGETS))
        dry = np.asarray(run(None))
        assert np.ptp(dry, axis=0).max() > 1e-3
        np.testing.assert_array_equal(run(jax.random.key(0)), dry)
        # Once the upper layer reads the lower one again, it is felt: the input of every layer is dropped.
        params["decoder"]["layer_2"]["kernel"][: config.units] = 1.0
        assert (np.asarray(run(jax.random.key(0))) != np.asarray(run(None))).any()

    def test_drops_the_fed_vector(self):
        """Layer 1 reads h~ alone: the first step, fed zeros, is as without dropout, the others are not."""
        config = VARIANTS["dot, fed, bidirectional"]
        params = jax.tree.map(np.array, params_of(config))
        for direction in params["encoder"]["layer_1"].values():
            direction["kernel"][: config.embedding] = 0
        params["decoder"]["layer_1"]["kernel"][: config.embedding] = 0
        run = partial(jitted(config, "__call__"), params, padded(SOURCES, True), np.array(TARGETS))
        wet, dry = np.asarray(run(jax.random.key(0))), np.asarray(run(None))
        np.testing.assert_array_equal(wet[0], dry[0])
        assert (wet[1:] != dry[1:]).any(axis=(1, 2)).all()

    @pytest.mark.parametrize("variant", ["general, fed, biases", "general, bidirectional"])
    def test_all_rates_follow_a_scale_that_is_traced(self, variant):
        config = dataclasses.replace(VARIANTS[variant], dropout=0.5, output_dropout=0.25)
        half = dataclasses.replace(config, dropout=0.25, output_dropout=0.125)
        arguments = params_of(config), padded(SOURCES, True), np.array(TARGETS), jax.random.key(1)
        scaled = np.asarray(jitted(config, "hidden")(*arguments, jnp.float32(0.5)))
        expected = np.asarray(jitted(half, "hidden")(*arguments))
        np.testing.assert_array_equal(scaled == 0, expected == 0)
        np.testing.assert_allclose(scaled, expected, rtol=1e-5, atol=1e-6)

    def test_of_the_output_falls_on_what_the_softmax_reads(self):
        config = dataclasses.replace(SEE, layers=1, dropout=0, output_dropout=0.5)
        run = partial(jitted(config, "hidden"), params_of(config), padded(SOURCES, True), np.array(TARGETS))
        h, dry = np.asarray(run(jax.random.key(0))), np.asarray(run(None))
        kept = h != 0
        np.testing.assert_allclose(h[kept], 2 * dry[kept], rtol=1e-6)
        assert abs(kept.mean() - 0.5) < 5 * 0.5 / np.sqrt(kept.size)


@pytest.mark.parametrize("variant", ["dot", "general, fed, biases"])
def test_logits_of_candidates_are_columns_of_the_logits(variant):
    for config in (VARIANTS[variant], dataclasses.replace(VARIANTS[variant], compute_dtype="bfloat16")):
        params, rng = params_of(config), np.random.default_rng(3)
        hidden = rng.normal(size=(3, 2, config.units)).astype(jnp.dtype(config.compute_dtype))
        ids = rng.integers(0, VOCABULARIES[1], (3, 2, 5))

        @jax.jit
        def both(params, hidden, ids, config=config):
            apply = partial(Seq2Seq(config).apply, {"params": params})
            found = apply(apply(method="candidate_rows"), hidden, ids, method="candidate_logits")
            return found, jnp.take_along_axis(apply(hidden, method="logits"), ids, -1)

        found, expected = both(params, hidden, ids)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
