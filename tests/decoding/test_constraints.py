"""Constraints by hand: what may follow, step by step; the forms; what a search refuses and ignores."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim.decoding.beam import beam_search
from seq2slim.decoding.constraints import Constraint, as_mask, multiset, without
from tests.support.beam_oracles import BOS, EOS, PAD, UNK, VOCABULARY, next_state, random_table, table_step
from tests.support.ruled_beam import as_source

IDS = {"pad": PAD, "bos": BOS, "eos": EOS}
STATES = np.array([7, 108], np.int32)
WORDS = st.lists(st.sampled_from([UNK, 4, 5, 6]), max_size=5)


def open_ids(constraint, state):
    """The set of ids that each hypothesis may go on with."""
    return [set(row.tolist()) - {PAD} for row in np.asarray(constraint.candidates(state))]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(source=WORDS, data=st.data())
@pytest.mark.parametrize("eos", [EOS, None])
def test_a_multiset_offers_the_words_that_are_left(eos, source, data):
    constraint = multiset(eos)
    state = constraint.start(jnp.asarray(as_source([source, [4, 4]], 5)))
    left = Counter(source)
    for token in data.draw(st.permutations(source)):
        assert open_ids(constraint, state) == [set(left), {4}]
        left -= Counter([token])
        state = constraint.advance(state, jnp.array([token, 9]))  # a word that the other never had changes nothing
    assert open_ids(constraint, state)[0] == ({EOS} if eos else set())


def test_a_mask_has_the_ids_of_the_list():
    constraint = multiset()
    state = constraint.start(jnp.asarray(as_source([[5, 4, 5], [6]], 3)))
    mask = as_mask(constraint, VOCABULARY).allowed(state)
    assert [set(np.flatnonzero(row)) - {PAD} for row in np.asarray(mask)] == [{4, 5}, {6}]
    assert as_mask(without((UNK,), 7), 7) is without((UNK,), 7)


def test_a_constraint_is_one_object_for_equal_arguments():
    """Else each call would compile the search anew."""
    assert multiset(EOS) is multiset(EOS)
    assert without((UNK, 5), 7) is without((UNK, 5), 7)
    assert multiset(None) != multiset(EOS)
    assert len({multiset(None), multiset(EOS), multiset(None)}) == 2


def test_without_ids_the_search_is_that_of_a_model_that_has_not_got_them():
    table = random_table(3)
    poor = np.where(np.isin(np.arange(VOCABULARY), [UNK, 5, PAD, BOS]), -np.inf, table).astype(np.float32)
    options = {"beam": 3, "max_steps": 6} | IDS

    @jax.jit
    def run(states):
        constraint, source = without((UNK, 5), VOCABULARY), np.zeros((2, 1), np.int32)
        constrained = beam_search(table_step(table), states, constraint=constraint, source=source, **options)
        return constrained, beam_search(table_step(poor), states, **options)

    constrained, expected = run(STATES)
    jax.tree.map(np.testing.assert_array_equal, constrained, expected)
    assert set(np.unique(constrained.tokens)) == {PAD, EOS, 4, 6}


def listed(ids):
    """A constraint that offers the same list at every step."""
    return Constraint(
        lambda source: jnp.zeros(source.shape[0], jnp.int32),
        lambda state, token: state,
        candidates=lambda state: jnp.broadcast_to(jnp.asarray(ids, jnp.int32), (state.shape[0], len(ids))),
    )


def run_listed(constraint, **options):
    table = jnp.asarray(random_table(5))

    def step(state, token, ids=None):
        state = next_state(state, token)
        return (table[state] if ids is None else table[state[:, None], ids]), state, state % 9

    return jax.jit(
        lambda states: beam_search(
            step, states, beam=4, max_steps=4, constraint=constraint, source=np.zeros((2, 1), np.int32), **options
        )
    )(STATES)


def test_ids_count_once_in_any_order_and_never_pad_or_bos():
    messy = run_listed(listed([6, BOS, 4, 6, PAD, EOS, 4, 6]), **IDS)
    tidy = run_listed(listed([4, 6, EOS]), **IDS)
    jax.tree.map(np.testing.assert_array_equal, messy.tokens, tidy.tokens)
    np.testing.assert_allclose(messy.score, tidy.score, rtol=1e-5)
    best = [tuple(tokens) for tokens in np.asarray(tidy.tokens[0])]
    assert len(set(best)) == 4
    probability = np.exp(run_listed(listed([5, EOS]), min_length=1, **IDS).log_prob).sum(-1)
    assert (probability <= 1 + 1e-5).all()  # of 5 and EOS alone: longest outputs of 4 tokens hold nearly all
    assert (probability > 0.5).all()


def test_hypotheses_that_may_neither_go_on_nor_end_are_dead():
    assert (np.asarray(run_listed(listed([PAD, BOS]), **IDS).length) == 0).all()
    assert (np.asarray(run_listed(listed([4, 5, 6]), **IDS).length) == 0).all()  # no EOS at the maximum length
    fixed = run_listed(listed([4, 5, 6]), **IDS | {"eos": None})
    assert (np.asarray(fixed.length) == 4).all()


def test_what_makes_no_sense_is_refused():
    start, advance = multiset().start, multiset().advance
    for forms in ({}, {"allowed": start, "candidates": start}):
        with pytest.raises(ValueError, match="either `allowed` or `candidates`"):
            Constraint(start, advance, **forms)
    with pytest.raises(ValueError, match="eos=0 equals pad"):
        run_listed(listed([4, 0]), pad=0, bos=2, eos=0)
    with pytest.raises(ValueError, match="starts from the source"):
        beam_search(table_step(random_table(0)), STATES, beam=1, max_steps=2, constraint=multiset(), **IDS)
