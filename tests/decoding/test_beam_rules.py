"""Searches under every kind of rules against enumeration and a slow beam: scores, ends, constraints in both forms."""

from functools import partial

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim.decoding.beam import beam_search
from seq2slim.decoding.beam_rules import BeamRules
from seq2slim.decoding.constraints import as_mask, multiset
from tests.support.beam_oracles import BOS, EOS, PAD, UNK, VOCABULARY, integer_table, next_state, random_table
from tests.support.ruled_beam import Rules, as_source, every_output, permutation, slow_beam

STATES = np.arange(4, dtype=np.int32) * 101 + 1  # four different sentences
SOURCES = [[5, 4, 5, 6], [6], [], [UNK, 4, 4]]  # words repeat; one sentence is empty
S = 4
RULES = {
    "log-probability, sum": Rules(),
    "log-probability, last": Rules(accumulate="last"),
    "raw, sum": Rules(normalise=False),
    "raw, last": Rules(normalise=False, accumulate="last"),
    "log-probability, sum, fixed": Rules(eos=None, never=(EOS,)),
    "raw, last, fixed": Rules(eos=None, never=(EOS,), normalise=False, accumulate="last"),
}
FORMS = ["candidates", "mask"]


def constraint_of(form, eos):
    constraint = multiset(eos)
    return {None: None, "candidates": constraint, "mask": as_mask(constraint, VOCABULARY)}[form]


@partial(jax.jit, static_argnames=("rules", "beam", "form", "max_steps"))
def search(table, states, source, shortest, longest, *, rules, beam, form=None, max_steps=5):
    def step(state, token, ids=None):
        state = next_state(state, token)
        logits = table[state]
        return (logits if ids is None else logits[np.arange(len(state))[:, None], ids]), state, state % 9

    return beam_search(
        step, states, beam=beam, max_steps=max_steps, min_length=shortest, max_length=longest,
        constraint=constraint_of(form, rules.eos), source=source, pad=PAD, bos=BOS, **rules._asdict(),
    )  # fmt: skip


def outputs(result, row):
    """[(score, tokens)] of a sentence; checks that what follows the end is empty."""
    found = []
    for tokens, attention, score, length in zip(*(np.asarray(x[row]) for x in (
        result.tokens, result.attention, result.score, result.length))):  # fmt: skip
        assert (tokens[length:] == PAD).all()
        assert (attention[length:] == -1).all()
        assert (length == 0) == (score == -np.inf)
        if length:
            found.append((float(score), tokens[:length].tolist()))
    return found


def assert_same(found, expected):
    assert [tokens for _, tokens in found] == [tokens for _, tokens in expected]
    np.testing.assert_allclose([score for score, _ in found], [score for score, _ in expected], rtol=1e-5, atol=1e-5)


def assert_all_found(found, expected):
    """The same outputs with the same scores, best first; last words of equal score may come in any order."""
    by_tokens, scores = ({tuple(tokens): score for score, tokens in part} for part in (found, expected))
    assert by_tokens == pytest.approx(scores, rel=1e-5, abs=1e-5)
    assert len(by_tokens) == len(found)
    assert [score for score, _ in found] == sorted(by_tokens.values(), reverse=True)


@pytest.mark.parametrize("name", RULES)
def test_a_beam_that_holds_everything_finds_every_output_in_order(name):
    table, rules = random_table(1), RULES[name]
    shortest, longest = np.int32([2, 1, 2, 4]), np.int32([4, 2, 0, 3])
    result = search(table, STATES, None, shortest, longest, rules=rules, beam=85)
    for row, state in enumerate(STATES):
        expected = every_output(table, state, rules, shortest[row], longest[row])
        assert len(expected) == ([256, 16, 0, 64] if rules.eos is None else [84, 5, 0, 16])[row]
        if len(expected) <= 85:  # 4 words in an output of fixed length are more than the beam holds
            assert_all_found(outputs(result, row), expected)


@pytest.mark.parametrize(("name", "form"), list(zip(RULES, FORMS * 3)))
def test_under_a_constraint_it_finds_every_permutation(name, form):
    table, rules, source = random_table(2), RULES[name], as_source(SOURCES, S)
    longest = np.int32([len(words) + (rules.eos is not None) * (len(words) > 0) for words in SOURCES])
    result = search(table, STATES, source, 1, longest, rules=rules, beam=12, form=form)
    for row, (state, words) in enumerate(zip(STATES, SOURCES)):
        expected = every_output(table, state, rules, 1, longest[row], permutation(words, rules.eos))
        assert len(expected) == [12, 1, 0, 3][row]  # 4! / 2!, 3! / 2!
        assert_all_found(outputs(result, row), expected)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**16), shortest=st.integers(1, 4), longest=st.integers(1, 5))
@pytest.mark.parametrize("name", RULES)
def test_a_narrow_beam_equals_a_slow_one_ties_included(name, seed, shortest, longest):
    rules = RULES[name]
    table = random_table(seed, 1.0) if rules.normalise else -integer_table(seed) - integer_table(seed + 1)[:, ::-1]
    result = search(table, STATES, None, shortest, longest, rules=rules, beam=3)
    for row, state in enumerate(STATES):
        expected = slow_beam(table, state, rules, 3, shortest, longest)
        assert_same(outputs(result, row), expected)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**16), data=st.data())
@pytest.mark.parametrize("name", RULES)
def test_so_it_does_under_a_constraint_in_both_forms(name, seed, data):
    """A limit below the source's length leaves no output with EOS, and cuts a fixed one; one above changes nothing."""
    rules, words = RULES[name], st.lists(st.sampled_from([UNK, 4, 5, 6]), max_size=S)
    sentences = data.draw(st.lists(words, min_size=4, max_size=4))
    longest = data.draw(st.integers(1, 5))
    table = random_table(seed, 1.0) if rules.normalise else integer_table(seed)
    for form in FORMS:
        result = search(table, STATES, as_source(sentences, S), 1, longest, rules=rules, beam=2, form=form)
        for row, (state, source) in enumerate(zip(STATES, sentences)):
            expected = slow_beam(table, state, rules, 2, 1, longest, permutation(source, rules.eos))
            assert_same(outputs(result, row), expected)


def test_scores_that_may_rise_are_searched_to_the_last_step():
    """The longest outputs are the best, long after K others have finished and no live one is better."""
    table = np.full((1021, VOCABULARY), 1.0, np.float32)
    table[:, EOS] = 2.0
    arguments = np.ones_like(STATES), None, 1, 5
    long = search(table, *arguments, rules=Rules(normalise=False), beam=2)
    assert outputs(long, 0) == [(6.0, [UNK, UNK, UNK, UNK, EOS]), (6.0, [UNK, UNK, UNK, 4, EOS])]
    short = search(table, *arguments, rules=Rules(), beam=2)
    assert [tokens for _, tokens in outputs(short, 0)] == [[EOS], [UNK, EOS]]


def test_rules_that_contradict_themselves_are_refused():
    with pytest.raises(ValueError, match=r"accumulate must be one of \('sum', 'last'\), got 'mean'"):
        BeamRules(PAD, BOS, EOS, accumulate="mean")
    with pytest.raises(ValueError, match="eos=3 is among the ids that are never emitted"):
        BeamRules(PAD, BOS, EOS, never=(EOS,))


@pytest.mark.parametrize(("normalise", "accumulate"), [(True, "sum"), (True, "last"), (False, "sum"), (False, "last")])
def test_only_summed_log_probabilities_must_fall(normalise, accumulate):
    assert BeamRules(PAD, BOS, EOS, normalise=normalise, accumulate=accumulate).scores_fall == (
        normalise and accumulate == "sum"
    )
