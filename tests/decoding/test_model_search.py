"""A real model searched under constraints and with other scores: against its own teacher-forced logits."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.decoding.constraints import Constraint, as_mask, multiset
from seq2slim.decoding.model_search import search
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params
from seq2slim.special_ids import BOS, EOS, PAD

V, S, WIDE = 9, 4, SearchConfig(beam=24)
SENTENCES = [[7, 4, 8, 5], [6, 6, 5], [], [4]]
CONFIG = Seq2SeqConfig(
    V, V, layers=1, units=8, attention="general", input_feeding=True, bidirectional=True, lstm_bias=True,
    output_bias=True, init_scale=1.0,
)  # fmt: skip
MODULE = Seq2Seq(CONFIG)
STATIC = ("modules", "config", "constraint", "fixed_length", "normalise", "accumulate", "reverse_source")
jitted = jax.jit(search, static_argnames=STATIC)
BY_MASK = {eos: as_mask(multiset(eos), V) for eos in (EOS, None)}


def same_length(words):
    return words


@pytest.fixture(scope="module")
def models():
    return [jax.jit(partial(init_params, CONFIG))(jax.random.key(seed)) for seed in (1, 2)]


def source_of(sentences, left=False):
    filled = [[*[PAD] * (S - len(words)) * left, *words, *[PAD] * (S - len(words)) * (not left)] for words in sentences]
    return np.array(filled, np.int32)


@jax.jit
def logits_of(params, source, target_in):
    return MODULE.apply({"params": params}, source, target_in)


def teacher_forced(params, words, outputs):
    """Logits float64[len(outputs), S + 1, V] of outputs of the sentence `words`; one shape, so one compilation."""
    target_in = np.full((24, S + 1), PAD)
    for row, tokens in zip(target_in, outputs):
        row[: len(tokens) + 1] = [BOS, *tokens]
    logits = logits_of(params, source_of([words] * len(target_in)), target_in)
    return np.float64(logits).swapaxes(0, 1)[: len(outputs)]


def permutations(models, words, *, end, raw=False, last=False):
    """{tokens: score} of every permutation, scored by teacher forcing; softmax over what is left, or raw."""
    every = sorted(set(itertools.permutations(words)))
    logits = [teacher_forced(own, words, every) for own in models]
    scores = {}
    for row, tokens in enumerate(every):
        steps = []
        for t, token in enumerate([*tokens, EOS] if end else tokens):
            own = [x[row, t] for x in logits]
            mean = own[0] if raw else np.log(np.mean([np.exp(x) / np.exp(x).sum() for x in own], axis=0))
            left = sorted(set(tokens[t:])) or [EOS]
            steps.append(mean[token] - (0 if raw else np.log(np.exp(mean[left]).sum())))
        scores[(*tokens, EOS) if end else tokens] = steps[-1] if last else sum(steps)
    return scores


def assert_found(result, row, expected):
    """Every expected output with its score, best first, and nothing else."""
    lengths = np.asarray(result.length[row])
    found = {
        tuple(np.asarray(result.tokens[row, k, : lengths[k]]).tolist()): float(result.score[row, k])
        for k in np.flatnonzero(lengths)
    }
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert len(found) == np.count_nonzero(lengths)
    assert (np.diff(list(found.values())) <= 0).all()


@pytest.mark.parametrize("constraints", [{EOS: multiset(EOS), None: multiset(None)}, BY_MASK], ids=["list", "mask"])
def test_word_ordering_finds_every_order_with_its_score(models, constraints):
    arguments = (MODULE,), (models[0],), source_of(SENTENCES), WIDE
    ended = jitted(*arguments, constraints[EOS])
    fixed = jitted(*arguments, constraints[None], fixed_length=same_length, normalise=False, accumulate="last")
    assert fixed.tokens.shape == (4, 24, S)
    for row, words in enumerate(SENTENCES):
        expected = permutations(models[:1], words, end=True) if words else {}
        assert len(expected) == [24, 3, 0, 1][row]
        assert_found(ended, row, expected)
        assert_found(fixed, row, permutations(models[:1], words, end=False, raw=True, last=True) if words else {})
    assert (np.asarray(ended.attention)[np.asarray(ended.tokens) != PAD] >= 0).all()


def test_an_ensemble_renormalises_its_mean_over_the_candidates(models):
    arguments = (MODULE, MODULE), tuple(models), source_of(SENTENCES), WIDE
    for constraint in (multiset(None), BY_MASK[None]):
        result = jitted(*arguments, constraint, fixed_length=same_length)
        for row in (0, 1, 3):
            assert_found(result, row, permutations(models, SENTENCES[row], end=False))
    with pytest.raises(ValueError, match="no raw scores"):
        search(*arguments, normalise=False)


def test_outputs_of_fixed_length_have_no_eos_and_need_no_constraint(models):
    result = jitted((MODULE,), (models[0],), source_of(SENTENCES), SearchConfig(beam=3), fixed_length=same_length)
    for row, words in enumerate(SENTENCES):
        assert (np.asarray(result.length[row]) == len(words)).all()
        outputs = np.asarray(result.tokens[row, :, : len(words)])
        assert not np.isin(outputs, [PAD, BOS, EOS]).any()
        if words:
            logits = teacher_forced(models[0], words, outputs)[:, : len(words)]
            log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            expected = np.take_along_axis(log_probs, outputs[..., None], -1).sum((1, 2))
            np.testing.assert_allclose(result.score[row], expected, rtol=1e-4)
            assert len(np.unique(outputs, axis=0)) == 3


def test_a_constraint_reads_the_source_in_the_order_of_the_text(models):
    """Copying, word by word: one output, whichever way the model reads."""

    def advance(state, token):
        return jnp.roll(state, -1, axis=-1).at[:, -1].set(PAD)

    copy = Constraint(lambda source: source, advance, candidates=lambda state: state[:, :1])
    config = SearchConfig(beam=2)
    for reverse in (False, True):
        turned = [words[::-1] for words in SENTENCES] if reverse else SENTENCES
        result = jitted(
            (MODULE,), (models[0],), jnp.asarray(source_of(turned, left=reverse)), config, copy,
            fixed_length=same_length, reverse_source=reverse,
        )  # fmt: skip
        np.testing.assert_array_equal(result.tokens[:, 0], source_of(SENTENCES))
        np.testing.assert_allclose(np.asarray(result.score[:, 0])[[0, 1, 3]], 0, atol=1e-6)  # nothing else is allowed
        assert (np.asarray(result.length[:, 1]) == 0).all()


def test_only_the_columns_of_candidates_are_multiplied(models):
    """No array over V is in the loop of the search: the softmax kernel is gathered, and logits are never formed."""
    size = 4 * 3  # B K
    arguments = (MODULE,), (models[0],), jnp.asarray(source_of(SENTENCES)), SearchConfig(beam=3)
    for constraint, formed in ((multiset(None), False), (BY_MASK[None], True)):
        jaxpr = str(jax.make_jaxpr(lambda c=constraint: search(*arguments, c, fixed_length=same_length))())
        assert (f"f32[{size},{V}]" in jaxpr) == formed
