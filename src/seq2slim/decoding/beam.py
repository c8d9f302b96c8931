"""Batched beam search over any model with a step function.

The rules for one sentence (rows of a batch do not influence one another):

- K live hypotheses are extended by every token that may follow. The candidates are ranked by score, ties by lowest
  (slot, token). A candidate that ends in EOS is finished if it ranks among the first K of *all* candidates; the K best
  others stay live. So the live beam stays K wide, and K = 1 is greedy search.
- The score is the sum of log-probabilities, or another of `BeamRules`.
- The K finished hypotheses with the best ranking score (score / length penalty) are kept, frozen; ties go to the one
  that finished first.
- The sentence is done when K hypotheses are finished and no live one has a better ranking score, at its current length,
  than the worst of them. Without a length penalty this is exact, since log-probabilities only fall. With one it is a
  heuristic: a live hypothesis whose rank would improve as it grows is not found. Scores that may rise (raw, or of the
  last token) allow no early stop: all steps to the maximum length are taken.
- Lengths count EOS. Below the minimum length EOS cannot be emitted; at the maximum length only EOS can be, with its
  true score. Every returned hypothesis therefore ends in EOS. The maximum wins over the minimum.
- Without an EOS (`eos=None`) the maximum is the length of every output: the live hypotheses that reach it are the
  result.
- A constraint takes away successors, EOS among them. A hypothesis without any is dead.
- A NaN or -inf score is a dead candidate, never chosen.

`beam_step` is one step of these rules over a public state, for other drivers than `beam_search`; `successors.py` has
its parts. Such a driver runs it in its own scan, reads `state.live`, and may replace slots: a restart from the
hypothesis in slot 0 is `state._replace(live=state.live.at[:, 1:].set(-inf))` where it is due.
"""

from typing import Any

import jax
import jax.numpy as jnp

from seq2slim.decoding.beam_rules import BeamRules
from seq2slim.decoding.constraints import Constraint
from seq2slim.decoding.hypotheses import BeamResult, Finished, Trace, read_back
from seq2slim.decoding.length_limits import LengthLimits
from seq2slim.decoding.successors import (
    BeamState,
    Carry,
    Expansion,
    Step,
    Successors,
    best_successors,
    expand,
    extend,
)


def beam_search(
    step: Step,
    carry: Carry,
    *,
    beam: int,
    max_steps: int,
    min_length: jax.Array | int = 2,
    max_length: jax.Array | int | None = None,
    constraint: Constraint | None = None,
    source: jax.Array | None = None,
    chunk: int = 8,
    **rules: Any,
) -> BeamResult:
    """The `beam` best outputs of each of B sentences. Runs under jit; all shapes are static.

    Args:
      step: `step(carry, tokens int32[B*K]) -> (logits [B*K, V], carry, attention int32[B*K])`; row b*K + k is slot k of
        sentence b. `attention` is the most attended padded source position, -1 for a model without attention.
        What is constant along a hypothesis (the encoder's memory, [B, S, H]) does not belong in the carry: `step`
        closes over it and reshapes its queries to [B, K, H], so memory is neither repeated K times nor reordered.
        Under a constraint with candidates: `step(carry, tokens, ids int32[B*K, C]) -> (logits [B*K, C], ...)`, the
        logits of those ids; PAD among them is ignored.
      carry: the model's state before the first token; a pytree of arrays with leading axis B, repeated K times here and
        reordered after every step.
      beam: K, hypotheses kept per sentence.
      max_steps: T, most tokens of any hypothesis, EOS included.
      min_length: int32[B] or an int, fewest tokens including EOS; the default 2 forbids an empty output. Without an EOS
        it has no effect.
      max_length: int32[B] or an int, most tokens including EOS, at most (and by default) `max_steps`; without an EOS
        the length of each output. A sentence with 0 is skipped (a filling row): it gets no hypothesis, costs no step.
      constraint: which tokens may follow; None: any.
      source: int32[B, S], what the constraint starts from; needed with one.
      chunk: steps between checks whether all sentences are done.
      rules: the fields of `BeamRules`: pad, bos and eos; length_penalty, normalise, accumulate, never.
    Returns: BeamResult with axes [B, K] and [B, K, T]; its log_prob is the accumulated score of the rules.
    Raises: ValueError for a beam, max_steps or chunk below 1, an empty carry, a constraint without a source, or an
      `eos` that is not among the V ids.
    """
    rules = BeamRules(**rules)
    for name, value in (("max_steps", max_steps), ("chunk", chunk)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    start = start_beam(carry, rules, beam=beam, constraint=constraint, source=source)
    shape = start.live.shape
    max_length = jnp.asarray(max_steps if max_length is None else max_length, jnp.int32)
    max_length = jnp.minimum(jnp.broadcast_to(max_length, shape[:1]), max_steps)
    limits = LengthLimits(jnp.minimum(jnp.asarray(min_length, jnp.int32), max_length), max_length)
    start = start._replace(live=jnp.where(max_length[:, None] > 0, start.live, -jnp.inf))

    def advance_chunk(loop):
        state, trace = loop
        state_after, written = jax.lax.scan(
            lambda state, _: beam_step(step, state, rules, limits, constraint), state, length=chunk
        )
        return state_after, jax.tree.map(
            lambda whole, part: jax.lax.dynamic_update_slice_in_dim(whole, part, state.t, axis=0), trace, written
        )

    def unfinished(loop):
        state, _ = loop
        return (state.t < max_steps) & jnp.any(state.live > -jnp.inf)

    # Whole chunks: the steps past max_steps in the last one find every sentence done.
    empty = jnp.zeros((-(-max_steps // chunk) * chunk, *shape), jnp.int32)
    state, trace = jax.lax.while_loop(unfinished, advance_chunk, (start, Trace(empty, empty, empty)))
    trace = Trace(*(field[:max_steps] for field in trace))
    return read_back(trace, state.finished, eos=rules.eos, pad=rules.pad)


def start_beam(
    carry: Carry,
    rules: BeamRules,
    *,
    beam: int,
    constraint: Constraint | None = None,
    source: jax.Array | None = None,
) -> BeamState:
    """The beam before the first token: one live hypothesis per sentence, the empty one, in slot 0; its score is 0.

    Args: carry: leaves with leading axis B, repeated K times here. beam: K. The others as in `beam_search`.
    Raises: ValueError for a beam below 1, an empty carry, or a constraint without a source.
    """
    if beam < 1:
        raise ValueError(f"beam must be at least 1, got {beam}")
    leaves = jax.tree.leaves(carry)
    if not leaves:
        raise ValueError("carry has no array, so the batch size is unknown; give it one with leading axis B")
    if constraint is not None and source is None:
        raise ValueError("a constraint starts from the source: give source int32[B, S] with it")
    shape = (leaves[0].shape[0], beam)
    constrained = () if constraint is None else constraint.start(source)
    carry, constrained = jax.tree.map(lambda leaf: jnp.repeat(leaf, beam, axis=0), (carry, constrained))
    nothing = jnp.full(shape, -jnp.inf)
    return BeamState(
        t=jnp.int32(0),
        carry=carry,
        constraint=constrained,
        token=jnp.full(shape, rules.bos, jnp.int32),
        live=nothing.at[:, 0].set(0.0),
        finished=Finished(nothing, nothing, jnp.full(shape, -1, jnp.int32), jnp.zeros(shape, jnp.int32)),
    )


def beam_step(
    step: Step, state: BeamState, rules: BeamRules, limits: LengthLimits, constraint: Constraint | None = None
) -> tuple[BeamState, Trace]:
    """One step of the search: expansion, ranking, finishing and reordering. Pure; runs in any scan or loop.

    Args:
      step, constraint: as in `beam_search`.
      state: of `start_beam` or of the step before; its slots may have been replaced in between.
      limits: fewest and most tokens, int32[B] or int each; EOS counts. Without an EOS the most is the length of each
        output, and the fewest is not read.
    Returns: (state after, what `read_back` and `read_live` need of this step: int32[B, K] each).
    """
    expansion = expand(step, state, rules, limits, constraint)
    if rules.eos is None:
        return _step_without_eos(state, expansion, rules, limits, constraint)
    beam, length = state.live.shape[1], state.t + 1
    chosen, ended = _apart(expansion, rules.eos)
    score = jnp.where(_ahead(chosen, ended) + _ahead(ended, ended) < beam, ended.score, -jnp.inf)
    new = Finished(rules.length_penalty.score(score, length), score, jnp.full(score.shape, state.t), ended.parent)
    finished = _keep_best(state.finished, new)
    if rules.scores_fall:
        done = finished.score[:, -1] >= rules.length_penalty.score(chosen.score[:, 0], length)
        chosen = chosen._replace(score=jnp.where(done[:, None], -jnp.inf, chosen.score))
    state, trace = extend(state, expansion, chosen, constraint)
    return state._replace(finished=finished), trace


def _apart(expansion: Expansion, eos: int) -> tuple[Successors, Successors]:
    """(the K best successors that go on, the ends of the K slots)."""
    is_eos = expansion.token == eos
    going_on = best_successors(
        expansion._replace(score=jnp.where(is_eos, -jnp.inf, expansion.score)), expansion.score.shape[1]
    )
    if expansion.candidates is None:
        ended = expansion.score[:, :, eos]
    else:
        ended = jnp.where(is_eos, expansion.score, -jnp.inf).max(axis=-1)
    slots = jnp.arange(ended.shape[1], dtype=jnp.int32)
    return going_on, Successors(ended, jnp.broadcast_to(slots, ended.shape), jnp.full(ended.shape, eos, jnp.int32))


def _step_without_eos(state, expansion, rules, limits, constraint):
    """The K best successors go on; those that have the length of the output are its result."""
    shape, length = state.live.shape, state.t + 1
    after, trace = extend(state, expansion, best_successors(expansion, shape[1]), constraint)
    complete = jnp.broadcast_to(length == limits.max_length, shape[:1])[:, None]
    result = Finished(
        score=rules.length_penalty.score(after.live, length),
        log_prob=after.live,
        end=jnp.where(after.live > -jnp.inf, state.t, -1),
        parent=jnp.broadcast_to(jnp.arange(shape[1], dtype=jnp.int32), shape),
    )
    finished = jax.tree.map(lambda new, old: jnp.where(complete, new, old), result, state.finished)
    return after._replace(live=jnp.where(complete, -jnp.inf, after.live), finished=finished), trace


def _ahead(others: Successors, mine: Successors) -> jax.Array:
    """How many `others` rank before each of `mine`, by score, then lowest (slot, token): int32[B, K]."""
    score, parent, token = (field[:, None, :] for field in others)
    my_score, my_parent, my_token = (field[:, :, None] for field in mine)
    earlier = (parent < my_parent) | ((parent == my_parent) & (token < my_token))
    return jnp.sum((score > my_score) | ((score == my_score) & earlier), axis=-1, dtype=jnp.int32)


def _keep_best(old: Finished, new: Finished) -> Finished:
    """The K best of both by ranking score; ties go to the old."""
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=1), old, new)
    _, index = jax.lax.top_k(both.score, old.score.shape[1])
    return jax.tree.map(lambda field: jnp.take_along_axis(field, index, axis=1), both)
