"""Beam search against exhaustive enumeration, greedy search and a slow beam search; independence of neighbours."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim.decoding.beam import beam_search, beam_step, start_beam
from seq2slim.decoding.beam_rules import BeamRules
from seq2slim.decoding.hypotheses import n_best, read_back, read_live
from seq2slim.decoding.length_limits import LengthLimits
from seq2slim.decoding.length_penalty import LengthPenalty
from tests.support.beam_oracles import (
    BOS,
    EOS,
    PAD,
    enumerate_all,
    follow,
    greedy,
    identity,
    integer_table,
    log_softmax,
    naive_beam,
    random_table,
    table_step,
)

IDS = {"pad": PAD, "bos": BOS, "eos": EOS}
SENTENCES = np.arange(4, dtype=np.int32) * 101 + 1  # initial states: four different sentences
PENALTIES = [("none", 1.0), ("gnmt", 0.8), ("power", 1.0)]


@functools.partial(jax.jit, static_argnames=("beam", "max_steps", "kind", "alpha", "normalise", "chunk"))
def search(
    table, state, min_length=2, max_length=None, *, beam, max_steps, kind="none", alpha=1.0, normalise=True, chunk=8
):
    penalty = LengthPenalty(kind, alpha)
    return beam_search(
        table_step(table), state, beam=beam, max_steps=max_steps, min_length=min_length, max_length=max_length,
        length_penalty=penalty, normalise=normalise, chunk=chunk, **IDS,
    )  # fmt: skip


def hypotheses(result, row):
    """[(score, log-probability, tokens)] of one sentence; checks that nothing follows the end."""
    found = []
    for k, length in enumerate(np.asarray(result.length[row])):
        assert (np.asarray(result.tokens[row, k, length:]) == PAD).all()
        assert (np.asarray(result.attention[row, k, length:]) == -1).all()
        if length:
            tokens = np.asarray(result.tokens[row, k, :length]).tolist()
            found.append((float(result.score[row, k]), float(result.log_prob[row, k]), tokens))
        else:
            assert result.score[row, k] == result.log_prob[row, k] == -np.inf
    return found


def assert_same(found, expected):
    assert [tokens for *_, tokens in found] == [tokens for *_, tokens in expected]
    np.testing.assert_allclose(
        [scores for *scores, _ in found], [scores for *scores, _ in expected], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(("kind", "alpha"), PENALTIES)
def test_a_beam_that_holds_everything_finds_the_true_n_best(kind, alpha):
    table, longest = random_table(1), 4
    everything = 4 + 16 + 64  # outputs of 1, 2 and 3 words
    result = search(table, SENTENCES, beam=everything + 1, max_steps=longest, kind=kind, alpha=alpha)
    for row, state in enumerate(SENTENCES):
        expected = enumerate_all(table, state, kind, alpha, 2, longest)
        assert len(expected) == everything
        assert_same(hypotheses(result, row), expected)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**16), shortest=st.integers(1, 4), longest=st.integers(1, 9))
@pytest.mark.parametrize(("kind", "alpha"), PENALTIES)
def test_equals_a_slow_beam_search(kind, alpha, seed, shortest, longest):
    table = random_table(seed, spread=1.0)
    result = search(table, SENTENCES, shortest, longest, beam=3, max_steps=9, kind=kind, alpha=alpha)
    for row, state in enumerate(SENTENCES):
        assert_same(hypotheses(result, row), naive_beam(table, state, 3, kind, alpha, shortest, longest))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**16), longest=st.integers(1, 9))
def test_ties_go_to_the_lowest_slot_and_token_and_to_the_older(seed, longest):
    table = integer_table(seed)
    result = search(table, SENTENCES, 2, longest, beam=4, max_steps=9, normalise=False)
    for row, state in enumerate(SENTENCES):
        expected = naive_beam(table, state, 4, "none", 1.0, 2, longest, log_probs=identity)
        assert hypotheses(result, row) == expected  # integers: exact


@pytest.mark.parametrize(("kind", "alpha"), PENALTIES)
def test_beam_of_one_is_greedy_search(kind, alpha):
    lengths = set()
    for seed in range(12):
        table = random_table(seed)
        result = search(table, SENTENCES, 2, 9, beam=1, max_steps=9, kind=kind, alpha=alpha)
        for row, state in enumerate(SENTENCES):
            expected = greedy(table, state, 2, 9)
            lengths.add(len(expected))
            ((_, log_prob, tokens),) = hypotheses(result, row)
            assert tokens == expected
            assert log_prob == pytest.approx(follow(table, state, expected[:-1], log_softmax)[0], rel=1e-5)
    assert {2, 9} <= lengths  # the cases include stops at once and at the limit


def test_attention_is_that_of_the_hypothesis_own_history():
    table = random_table(3, spread=1.0)
    result = search(table, SENTENCES, beam=3, max_steps=9)
    for row, state in enumerate(SENTENCES):
        for k, (_, log_prob, tokens) in enumerate(hypotheses(result, row)):
            total, attention = follow(table, state, tokens[:-1], log_softmax)
            assert np.asarray(result.attention[row, k, : len(tokens)]).tolist() == attention
            assert log_prob == pytest.approx(total, rel=1e-5)


def test_steps_in_a_loop_of_ones_own_are_the_search_and_show_what_is_live():
    table, steps, beam, rules = random_table(8), 6, 3, BeamRules(PAD, BOS, EOS)

    @jax.jit
    def run(table):
        def one(state, _):
            state, trace = beam_step(table_step(table), state, rules, LengthLimits(2, steps))
            return state, (trace, state.live)

        start = start_beam(jnp.asarray(SENTENCES), rules, beam=beam)
        state, (trace, lives) = jax.lax.scan(one, start, length=steps)
        shown = [read_live(trace, live, t + 1, pad=PAD) for t, live in enumerate(lives)]
        return read_back(trace, state.finished, eos=EOS, pad=PAD), shown

    result, shown = run(table)
    jax.tree.map(np.testing.assert_array_equal, result, search(table, SENTENCES, beam=beam, max_steps=steps))
    assert (np.asarray(shown[0].length) == 1).all()  # all are live after one step, none after the last
    assert (np.asarray(shown[-1].length) == 0).all()
    for row, state in enumerate(SENTENCES):
        for live in shown:
            found = hypotheses(live, row)
            assert len({tuple(tokens) for *_, tokens in found}) == len(found)
            assert found == sorted(found, key=lambda hypothesis: -hypothesis[0])
            for k, (score, _, tokens) in enumerate(found):
                total, attention = follow(table, state, tokens[:-1], log_softmax, last=tokens[-1])
                assert score == pytest.approx(total, rel=1e-5)
                assert np.asarray(live.attention[row, k, : len(tokens)]).tolist() == attention


def test_n_best_is_the_head_of_the_enumeration_whatever_its_length_and_the_beam():
    table, longest = random_table(5), 4
    # No beam from 80 on prunes: at most 16 live hypotheses have 4 words and EOS to go on with, 64 have EOS alone.
    results = [search(table, SENTENCES, beam=beam, max_steps=longest) for beam in (80, 85)]
    expected = [enumerate_all(table, state, "none", 1.0, 2, longest) for state in SENTENCES]
    for result in results:
        for count in (1, 2, 7, 80):
            part = n_best(result, count)
            assert part.tokens.shape == (4, count, longest)
            for row in range(4):
                assert_same(hypotheses(part, row), expected[row][:count])
    with pytest.raises(ValueError, match=r"1\.\.80.*got 81"):
        n_best(results[0], 81)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_length_limits_hold_for_each_sentence(data):
    limits = st.lists(st.integers(0, 12), min_size=4, max_size=4)
    low, high = np.int32(data.draw(limits)), np.int32(data.draw(limits))
    result = search(random_table(data.draw(st.integers(0, 99))), SENTENCES, low, high, beam=3, max_steps=10)
    high = np.minimum(high, 10)
    for row in range(4):
        lengths = [len(tokens) for *_, tokens in hypotheses(result, row)]
        assert bool(lengths) == (high[row] > 0)
        assert all(min(low[row], high[row]) <= length <= high[row] for length in lengths)
        for *_, tokens in hypotheses(result, row):
            assert tokens.index(EOS) == len(tokens) - 1
            assert not {PAD, BOS} & set(tokens)


def recurrent_search(source, switched_on, beam=4, max_steps=12):
    """A little recurrent model over source int32[B, S], with products, attention over a memory."""
    rng = np.random.default_rng(0)
    shapes = (400, 16), (16, 16), (16, 16), (16, 400)  # 4 * 400 candidates: the two-level top-k is in use
    embed, w, u, out = (rng.normal(0, 1, shape).astype(np.float32) for shape in shapes)
    bias = np.where(np.arange(400) == EOS, 6.0, 0.0).astype(np.float32)
    memory = jnp.asarray(embed)[source]  # f32[B, S, 16]; closed over, never repeated or reordered

    def step(h, token):
        h = jnp.tanh(h @ w + jnp.asarray(embed)[token] @ u)
        query = h.reshape(len(source), beam, 16)
        scores = jnp.einsum("bkh,bsh->bks", query, memory)
        context = jnp.einsum("bks,bsh->bkh", jax.nn.softmax(scores), memory).reshape(h.shape)
        return (h + context) @ out + bias, h, jnp.argmax(scores, axis=-1).reshape(-1)

    return beam_search(
        step, memory.mean(1), beam=beam, max_steps=max_steps, max_length=jnp.where(switched_on, max_steps, 0), **IDS
    )


def test_output_is_bit_equal_whatever_the_neighbours():
    rng = np.random.default_rng(1)
    run = jax.jit(recurrent_search)
    source, on = rng.integers(4, 400, (8, 6)), np.ones(8, bool)
    reference = run(source, on)
    assert len(np.unique(np.asarray(reference.length[:, 0]))) >= 3  # some end long before their neighbours
    order = rng.permutation(8)
    shuffled = run(source[order], on)
    for row, sentence in enumerate(order):
        for whole, other in zip(reference, shuffled, strict=True):
            np.testing.assert_array_equal(other[row], whole[sentence])
    for row in range(8):
        others = rng.integers(4, 400, (8, 6))
        others[row] = source[row]
        alone = (np.arange(8) == row) | (rng.random(8) < 0.3)  # most neighbours are filling rows
        result = run(others, alone)
        for whole, other in zip(reference, result, strict=True):
            np.testing.assert_array_equal(other[row], whole[row])
        assert (np.asarray(result.length[~alone]) == 0).all()


def test_early_stop_changes_nothing_but_the_number_of_steps():
    table = random_table(2)
    table[:, EOS] += 4
    calls = []

    def counted(state, token):
        jax.debug.callback(lambda: calls.append(1))
        return table_step(table)(state, token)

    def run(chunk):
        result = jax.jit(lambda state: beam_search(counted, state, beam=2, max_steps=40, chunk=chunk, **IDS))(SENTENCES)
        jax.effects_barrier()
        return result

    stopped = run(4)
    stopped_calls = len(calls)
    whole = run(40)
    assert len(calls) - stopped_calls == 40
    assert stopped_calls < 40
    assert np.asarray(stopped.length).max() <= stopped_calls
    jax.tree.map(np.testing.assert_array_equal, stopped, whole)


def test_max_steps_need_not_be_whole_chunks():
    table = random_table(7, spread=0.3)
    parts = search(table, SENTENCES, beam=3, max_steps=9, chunk=4)
    whole = search(table, SENTENCES, beam=3, max_steps=9)  # chunks of 8
    assert parts.tokens.shape == (4, 3, 9)
    assert (np.asarray(whole.length) == 9).any()
    jax.tree.map(np.testing.assert_array_equal, parts, whole)


def test_nan_kills_its_own_hypotheses_only_and_does_not_hang():
    table = random_table(4)
    clean = search(table, SENTENCES, beam=3, max_steps=9)

    def poisoned(carry, token):
        state, ill = carry
        logits, state, attention = table_step(table)(state, token)
        return jnp.where(ill[:, None], jnp.nan, logits), (state, ill), attention

    start = SENTENCES, np.array([False, True, False, False])
    result = jax.jit(lambda carry: beam_search(poisoned, carry, beam=3, max_steps=9, **IDS))(start)
    assert hypotheses(result, 1) == []
    for row in (0, 2, 3):
        assert hypotheses(result, row) == hypotheses(clean, row)
    everything = search(np.full_like(table, np.nan), SENTENCES, beam=3, max_steps=9)
    assert (np.asarray(everything.length) == 0).all()


def test_impossible_tokens_stay_impossible():
    table = random_table(6)
    table[:, [4, 5]] = -np.inf
    result = search(table, SENTENCES, beam=8, max_steps=4)  # UNK and one word: 2 + 4 + 8 outputs
    assert not np.isin(result.tokens, [4, 5]).any()
    table[:, [1, 6]] = -np.inf  # nothing left but EOS, which may not come first
    assert (np.asarray(search(table, SENTENCES, beam=8, max_steps=4).length) == 0).all()


def test_lowers_for_tpu_and_cuda():
    arguments = jax.ShapeDtypeStruct((4, 6), jnp.int32), jax.ShapeDtypeStruct((4,), jnp.bool_)
    exported = jax.export.export(jax.jit(recurrent_search), platforms=["tpu", "cuda"])(*arguments)
    assert exported.platforms == ("tpu", "cuda")
    assert exported.out_avals[0].shape == (4, 4, 12)


def test_refuses_bad_arguments():
    with pytest.raises(ValueError, match="beam must be at least 1, got 0"):
        beam_search(table_step(random_table(0)), SENTENCES, beam=0, max_steps=4, **IDS)
    with pytest.raises(ValueError, match="carry has no array"):
        beam_search(table_step(random_table(0)), (), beam=1, max_steps=4, **IDS)
    with pytest.raises(ValueError, match="eos=99 is not among"):
        beam_search(table_step(random_table(0)), SENTENCES, beam=1, max_steps=4, **IDS | {"eos": 99})
    with pytest.raises(ValueError, match="kind must be one of"):
        LengthPenalty("avg")
    with pytest.raises(ValueError, match="alpha must be at least 0"):
        LengthPenalty("gnmt", -0.1)
