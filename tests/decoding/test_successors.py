"""Another driver than the search: a beam along a gold sequence, with violations and restarts, against plain lists."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.decoding.beam import start_beam
from seq2slim.decoding.beam_rules import BeamRules
from seq2slim.decoding.constraints import multiset
from seq2slim.decoding.hypotheses import read_live
from seq2slim.decoding.length_limits import LengthLimits
from seq2slim.decoding.successors import Successors, best_successors, expand, extend
from tests.support.beam_oracles import BOS, EOS, PAD, UNK, integer_table, next_state
from tests.support.ruled_beam import Rules, as_source, permutation, successors

GOLD = np.array([[5, 4, 6, 4, UNK], [6, 6, 6, 5, 5], [4, UNK, 5, 6, 4]], np.int32)
STATES = np.array([3, 104, 205], np.int32)
B, T = GOLD.shape
K = 3


@partial(jax.jit, static_argnames=("rules", "constraint"))
def drive(table, states, source, *, rules, constraint):
    """Wiseman & Rush 2016: slot 0 is gold; if it does not beat the K-th of all by 1, the next step has gold alone.

    Returns: violated bool[T, B]; the offenders' scores f32[T, B]; the live hypotheses before a restart, of each step.
    """
    rules = BeamRules(pad=PAD, bos=BOS, **rules._asdict())
    slots = jnp.arange(K)

    def step(state, token, ids=None):
        state = next_state(state, token)
        return (table[state] if ids is None else table[state[:, None], ids]), state, state % 9

    def along(state, gold):
        expansion = expand(step, state, rules, LengthLimits(0, T), constraint)
        is_gold = (expansion.token == gold[:, None, None]) & (slots == 0)[:, None]
        score = jnp.where(is_gold, expansion.score, -jnp.inf).max(axis=(1, 2))
        others = best_successors(expansion._replace(score=jnp.where(is_gold, -jnp.inf, expansion.score)), K - 1)
        first = Successors(score, jnp.zeros_like(gold), gold)
        chosen = Successors(*(jnp.column_stack([one, more]) for one, more in zip(first, others)))
        state, trace = extend(state, expansion, chosen, constraint)
        violated = score < others.score[:, -1] + 1
        restarted = state._replace(live=jnp.where(violated[:, None] & (slots > 0), -jnp.inf, state.live))
        return restarted, (violated, others.score[:, -1], trace, state.live)

    start = start_beam(states, rules, beam=K, constraint=constraint, source=source)
    _, (violated, offenders, trace, lives) = jax.lax.scan(along, start, GOLD.T)
    return violated, offenders, [read_live(trace, live, t + 1, pad=PAD) for t, live in enumerate(lives)]


def drive_slowly(table, state, gold, rules, allowed):
    """The same for one sentence: (violated, offender's score, [(score, tokens)] of the beam) of each step."""
    beam, steps = [(0.0, [], state, BOS)], []
    for t in range(T):
        candidates = []
        for slot, hypothesis in enumerate(beam):
            for score, token, after in successors(table, hypothesis, rules, 0, T, allowed):
                candidates.append((-score, slot, token, hypothesis[1], after))
        (own,) = (c for c in candidates if c[1] == 0 and c[2] == gold[t])
        others = sorted((c for c in candidates if c is not own), key=lambda candidate: candidate[:3])[: K - 1]
        beam = [(-cost, [*prefix, token], after, token) for cost, _, token, prefix, after in [own, *others]]
        offender = -others[-1][0] if len(others) == K - 1 else -np.inf
        steps.append((-own[0] < offender + 1, offender, [(score, tokens) for score, tokens, *_ in beam]))
        if steps[-1][0]:
            beam = beam[:1]
    return steps


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("accumulate", ["sum", "last"])
def test_a_driver_along_gold_shares_scores_ranks_and_ties(accumulate, constrained):
    rules = Rules(eos=None, never=(EOS,), normalise=False, accumulate=accumulate)
    violations = []
    for seed in range(6):
        table = integer_table(seed)  # ties are everywhere
        constraint = multiset(None) if constrained else None
        violated, offenders, shown = drive(
            jnp.asarray(table), jnp.asarray(STATES), as_source(GOLD, T), rules=rules, constraint=constraint
        )
        for row in range(B):
            allowed = permutation(GOLD[row].tolist(), None) if constrained else None
            for t, expected in enumerate(drive_slowly(table, STATES[row], GOLD[row], rules, allowed)):
                assert (bool(violated[t, row]), float(offenders[t, row])) == expected[:2]
                live = shown[t]
                lengths = np.asarray(live.length[row])
                found = [
                    (float(live.score[row, k]), live.tokens[row, k, : t + 1].tolist()) for k in np.flatnonzero(lengths)
                ]
                assert found == expected[2]
        violations.append(np.asarray(violated))
    assert 0.1 < np.mean(violations) < 0.9  # both cases were seen


def test_best_successors_may_be_fewer_or_more_than_the_beam():
    rules = BeamRules(PAD, BOS, None)
    start = start_beam(jnp.asarray(STATES), rules, beam=2)
    table = integer_table(0)

    def step(state, token):
        return jnp.asarray(table)[next_state(state, token)], state, state

    expansion = expand(step, start, rules, LengthLimits(0, 1))
    wide = best_successors(expansion, 5)
    for count in (1, 3):
        jax.tree.map(
            lambda few, more, n=count: np.testing.assert_array_equal(few, more[:, :n]),
            best_successors(expansion, count),
            wide,
        )
    assert (np.asarray(wide.parent) == 0).all()  # slot 1 is dead
    assert set(np.asarray(wide.token[0]).tolist()) == {UNK, EOS, 4, 5, 6}  # without an EOS id 3 is a word like others
    assert (np.asarray(extend(start, expansion, best_successors(expansion, 3))[0].carry).shape) == (9,)
    assert (np.asarray(expand(step, start, rules, LengthLimits(0, 0)).score) == -np.inf).all()
