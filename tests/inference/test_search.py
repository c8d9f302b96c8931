"""The search of a real model: against teacher-forced logits, a plain numpy loop, and other neighbours in the batch."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.data import batching
from seq2slim.data.batching import Batch
from seq2slim.decoding.constraints import Constraint
from seq2slim.decoding.hypotheses import BeamResult
from seq2slim.decoding.length_limits import LIMITS
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.inference import text_files
from seq2slim.inference.model_files import Model, load_model
from seq2slim.inference.search import _search, make_search
from seq2slim.models import Seq2SeqConfig, init_params
from seq2slim.special_ids import BOS, EOS, PAD
from tests.support.distilling import SEARCH
from tests.support.numpy_seq2seq import translate

V, S = 12, 7


LENGTHS = np.array([7, 2, 5, 1, 6, 3])


B, K = len(LENGTHS), 4


BEAM = SearchConfig(beam=K, length_penalty=LengthPenalty("gnmt", 0.6))


# Wide initial weights: translations differ, and end at lengths of their own.
CONFIGS = {
    "dot": Seq2SeqConfig(V, V, layers=2, units=8, init_scale=1.0),
    "base's": Seq2SeqConfig(
        V, V, layers=1, units=8, attention="general", input_feeding=True, bidirectional=True, lstm_bias=True,
        output_bias=True, init_scale=1.0,
    ),
}  # fmt: skip


class Searched(NamedTuple):
    """A model, a source batch int32[B, S] as it reads it, and what a beam found."""

    model: Model
    source: np.ndarray
    result: BeamResult


def as_batch(source):
    nothing = np.zeros((len(source), 0), np.int32)
    return Batch(source, nothing, nothing, np.arange(len(source), dtype=np.int32))


def found(model, config, source):
    return BeamResult(*map(np.asarray, make_search(model, config)(as_batch(source))))


def padded(sentences, model):
    """Padded on the left where the source is read backwards, else on the right."""
    source = np.full((len(sentences), S), PAD, np.int32)
    for row, words in zip(source, sentences):
        row[slice(S - len(words), S) if model.reverse_source else slice(len(words))] = words
    return source


def sentences(seed):
    rng = np.random.default_rng(seed)
    return [rng.integers(4, V, length) for length in LENGTHS]


@pytest.fixture(scope="module", params=CONFIGS)
def searched(request):
    config = CONFIGS[request.param]
    params = jax.jit(partial(init_params, config))(jax.random.key(6))
    model = Model(config, params, None, reverse_source=not config.bidirectional)
    source = padded(sentences(0), model)
    return Searched(model, source, found(model, BEAM, source))


def test_every_hypothesis_has_the_score_and_the_alignment_of_a_plain_loop(searched):
    """The beam reorders what it carries: each of the K is followed alone, unpadded, in float64."""
    model, source, result = searched
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), model.params)
    assert len(np.unique(result.length)) > 2
    for row, words in enumerate(source):
        first = int(np.flatnonzero(words != PAD)[0])
        for k in range(K):
            tokens = result.tokens[row, k, : result.length[row, k]]
            assert tokens[-1] == EOS
            logits, weights = translate(params, model.config, words[words != PAD], [BOS, *tokens[:-1]])
            log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            total = log_probs[np.arange(len(tokens)), tokens].sum()
            assert result.log_prob[row, k] == pytest.approx(total, rel=1e-4)
            assert result.score[row, k] == pytest.approx(total / ((5 + len(tokens)) / 6) ** 0.6, rel=1e-4)
            aligned = result.attention[row, k]
            np.testing.assert_array_equal(aligned[: len(tokens)], first + weights.argmax(-1))
            assert (aligned[len(tokens) :] == -1).all()
        assert (np.diff(result.score[row]) <= 0).all()


def test_rows_are_bit_equal_whatever_the_neighbours(searched):
    model, source, expected = searched

    def assert_same(result, rows, expected_rows):
        for own, other in zip(result, expected):
            np.testing.assert_array_equal(own[rows], other[expected_rows])

    order = np.random.default_rng(1).permutation(B)
    assert_same(found(model, BEAM, source[order]), np.arange(B), order)
    filling = source.copy()
    filling[1::2] = PAD
    result = found(model, BEAM, filling)
    assert_same(result, slice(0, None, 2), slice(0, None, 2))
    assert (result.length[1::2] == 0).all()
    assert (result.tokens[1::2] == PAD).all()
    others = padded(sentences(5), model)
    others[2] = source[2]
    assert_same(found(model, BEAM, others), 2, 2)


def test_a_beam_of_one_is_the_argmax_of_the_teacher_forced_logits(searched):
    model, source, _ = searched
    limits = "paper" if model.reverse_source else "wide"  # each once
    result = found(model, SearchConfig(beam=1, limits=limits), source)
    words = (source != PAD).sum(-1)
    shortest, longest = LIMITS[limits](words)
    assert result.tokens.shape == (B, 1, LIMITS[limits](S).max_length)

    apply = jax.jit(partial(model.module.apply, {"params": model.params}))
    target_in = np.full((B, result.tokens.shape[-1]), PAD, np.int32)  # what stands to the right is never seen
    target_in[:, 0] = BOS
    tokens, log_prob, going = np.full_like(result.tokens[:, 0], PAD), np.zeros(B), np.ones(B, bool)
    for t in range(target_in.shape[1]):
        logits = np.array(apply(source, target_in)[t], np.float64)
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        for row in np.flatnonzero(going):
            allowed = [v for v in range(V) if v not in (PAD, BOS) and (v != EOS or t + 1 >= shortest[row])]
            token = EOS if t + 1 == longest[row] else max(allowed, key=log_probs[row].__getitem__)
            tokens[row, t], going[row] = token, token != EOS
            log_prob[row] += log_probs[row, token]
        if t + 1 < target_in.shape[1]:
            target_in[:, t + 1] = tokens[:, t]
    np.testing.assert_array_equal(result.tokens[:, 0], tokens)
    np.testing.assert_array_equal(result.length[:, 0], (tokens != PAD).sum(-1))
    np.testing.assert_allclose(result.log_prob[:, 0], log_prob, rtol=1e-4)
    # A sentence cut off at its limit and one that ended by itself: both kinds were seen.
    assert len(set(result.length[:, 0] == longest)) == 2


def test_without_attention_nothing_is_aligned():
    config = Seq2SeqConfig(V, V, layers=1, units=8, attention="none", init_scale=1.0)
    model = Model(config, init_params(config, jax.random.key(0)), None, True)
    result = found(model, SearchConfig(beam=2), padded(sentences(0), model))
    assert (result.length > 1).all()
    assert (result.attention == -1).all()


def test_a_constraint_reads_the_text_forwards_for_every_model(searched):
    """Only the next word of the source may follow: the output is the source, in the order of the text."""
    model, source, _ = searched
    copy = Constraint(
        lambda source: source,
        lambda state, token: jnp.roll(state, -1, axis=-1),
        candidates=lambda state: state[:, :1],
    )
    result = make_search(model, SearchConfig(beam=2), copy, fixed_length=lambda words: words)(as_batch(source))
    for row, words in enumerate(sentences(0)):
        text = words[::-1] if model.reverse_source else words
        np.testing.assert_array_equal(result.tokens[row, 0, : len(words)], text)
        assert result.length[row].tolist() == [len(words), 0]


@pytest.mark.parametrize("name", CONFIGS)
def test_lowers_for_tpu_and_cuda(name):
    config = CONFIGS[name]
    model = Model(config, jax.eval_shape(partial(init_params, config), jax.random.key(0)), None, True)
    source = jax.ShapeDtypeStruct((B, S), np.int32)
    exported = jax.export.export(_search, platforms=["tpu", "cuda"])((model.module,), (model.params,), source, BEAM)
    assert exported.platforms == ("tpu", "cuda")
    result = jax.tree.unflatten(exported.out_tree, exported.out_avals)
    assert result.tokens.shape == (B, K, LIMITS["wide"](S).max_length)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": "papr"}, r"limits must be one of \['paper', 'wide'\], got 'papr'"),
        ({"beam": 0}, "beam must be at least 1, got 0"),
        ({"batch_size": -2}, "batch_size must be at least 1, got -2"),
    ],
)
def test_what_cannot_be_searched_with_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SearchConfig(**options)


class TestEnsemble:
    def test_of_one_it_is_the_model_and_of_two_alike_nearly(self, runner, teacher, text):
        model, split = load_model(runner.run_dir(teacher)), text_files.tokenised(runner.run_dir(text))["train"]
        (batch, *_) = batching.evaluation_batches(split, batching.BatchConfig(4, True), targets=False)
        alone, one, two = (make_search(models, SEARCH)(batch) for models in (model, [model], [model, model]))
        for a, b in zip(alone, one):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(alone.tokens, two.tokens)
        np.testing.assert_allclose(alone.log_prob, two.log_prob, rtol=1e-4)

    def test_models_must_agree(self, runner, teacher):
        model = load_model(runner.run_dir(teacher))
        with pytest.raises(ValueError, match="read the source the same way"):
            make_search([model, model._replace(reverse_source=False)], SEARCH)
