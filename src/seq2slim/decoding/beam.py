"""Batched beam search over any model with a step function.

The rules for one sentence (rows of a batch do not influence one another):

- K live hypotheses are extended by every token. The candidates are ranked by log-probability, ties by lowest
  (slot, token). A candidate that ends in EOS is finished if it ranks among the first K of *all* candidates; the K best
  others stay live. So the live beam stays K wide, and K = 1 is greedy search.
- The K finished hypotheses with the best ranking score (log-probability / length penalty) are kept, frozen; ties go to
  the one that finished first.
- The sentence is done when K hypotheses are finished and no live one has a better ranking score, at its current length,
  than the worst of them. Without a length penalty this is exact, since log-probabilities only fall. With one it is a
  heuristic: a live hypothesis whose rank would improve as it grows is not found.
- Lengths count EOS. Below the minimum length EOS cannot be emitted; at the maximum length only EOS can be, with its
  true log-probability. Every returned hypothesis therefore ends in EOS. The maximum wins over the minimum.
- A NaN or -inf log-probability is a dead candidate, never chosen.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seq2slim.decoding.hypotheses import BeamResult, Finished, Trace, read_back
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.decoding.top_k import top_k

Carry = Any
Step = Callable[[Carry, jax.Array], tuple[jax.Array, Carry, jax.Array]]


class _State(NamedTuple):
    t: jax.Array  # int32[], steps taken
    carry: Carry  # leaves [B*K, ...], of the live hypotheses
    token: jax.Array  # int32[B, K], their last token
    live: jax.Array  # f32[B, K], their log-probability, best first; -inf is dead, all dead is done
    finished: Finished


def beam_search(
    step: Step,
    carry: Carry,
    *,
    beam: int,
    max_steps: int,
    pad: int,
    bos: int,
    eos: int,
    min_length: jax.Array | int = 2,
    max_length: jax.Array | int | None = None,
    length_penalty: LengthPenalty = LengthPenalty(),
    normalise: bool = True,
    chunk: int = 8,
) -> BeamResult:
    """The `beam` best outputs of each of B sentences. Runs under jit; all shapes are static.

    Args:
      step: `step(carry, tokens int32[B*K]) -> (logits [B*K, V], carry, attention int32[B*K])`; row b*K + k is slot k of
        sentence b. `attention` is the most attended padded source position, -1 for a model without attention.
        What is constant along a hypothesis (the encoder's memory, [B, S, H]) does not belong in the carry: `step`
        closes over it and reshapes its queries to [B, K, H], so memory is neither repeated K times nor reordered.
      carry: the model's state before the first token; a pytree of arrays with leading axis B, repeated K times here and
        reordered after every step.
      beam: K, hypotheses kept per sentence.
      max_steps: T, most tokens of any hypothesis, EOS included.
      pad: id that fills the result after EOS. Never emitted.
      bos: id fed at the first step. Never emitted.
      eos: id that ends a hypothesis. May equal `bos` or `pad`.
      min_length: int32[B] or an int, fewest tokens including EOS; the default 2 forbids an empty output.
      max_length: int32[B] or an int, most tokens including EOS, at most (and by default) `max_steps`. A sentence with 0
        is skipped (a filling row): it gets no hypothesis and costs no step.
      length_penalty: how length enters the ranking score.
      normalise: take the log-softmax of `logits` over V; if False, sum the logits unchanged.
      chunk: steps between checks whether all sentences are done.
    Returns: BeamResult with axes [B, K] and [B, K, T].
    Raises: ValueError for a beam, max_steps or chunk below 1, an empty carry, or an `eos` that is not among the V ids.
    """
    for name, value in (("beam", beam), ("max_steps", max_steps), ("chunk", chunk)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    leaves = jax.tree.leaves(carry)
    if not leaves:
        raise ValueError("carry has no array, so the batch size is unknown; give it one with leading axis B")
    batch = leaves[0].shape[0]
    shape = (batch, beam)
    max_length = jnp.asarray(max_steps if max_length is None else max_length, jnp.int32)
    max_length = jnp.minimum(jnp.broadcast_to(max_length, (batch,)), max_steps)
    min_length = jnp.minimum(jnp.asarray(min_length, jnp.int32), max_length)
    banned = sorted({pad, bos, eos})  # EOS is ranked apart from the other tokens
    row = jnp.arange(batch, dtype=jnp.int32)[:, None] * beam

    def advance(state: _State, _) -> tuple[_State, Trace]:
        logits, carry, attention = step(state.carry, state.token.reshape(-1))
        vocabulary = logits.shape[-1]
        if not 0 <= eos < vocabulary:
            raise ValueError(
                f"eos={eos} is not among the {vocabulary} ids that the step scores: no hypothesis could end"
            )
        length = state.t + 1
        total = _log_probs(logits, normalise).reshape(*shape, vocabulary) + state.live[:, :, None]  # f32[B, K, V]
        total = jnp.where(jnp.isnan(total), -jnp.inf, total)

        ended = jnp.where((length >= min_length)[:, None], total[:, :, eos], -jnp.inf)  # f32[B, K]
        ids = jnp.arange(vocabulary, dtype=jnp.int32)
        open_ids = jnp.all(ids[:, None] != jnp.asarray(banned, jnp.int32), axis=-1)  # bool[V]
        may_go_on = open_ids & (length < max_length)[:, None, None]
        total = jnp.where(may_go_on, total, -jnp.inf).reshape(batch, beam * vocabulary)
        # The barrier halves the time of the search on CPU: without it XLA recomputes the winners in each of the small
        # operations below, and for every number of the carry that is reordered.
        live, index = jax.lax.optimization_barrier(top_k(total, beam))
        parent, token = index // vocabulary, index % vocabulary

        slots = jnp.arange(beam, dtype=jnp.int32)
        ended_index = jnp.broadcast_to(slots * vocabulary + eos, shape)
        ahead = _ahead(live, index, ended, ended_index) + _ahead(ended, ended_index, ended, ended_index)
        ended = jnp.where(ahead < beam, ended, -jnp.inf)
        finished = _keep_best(
            state.finished,
            Finished(
                score=length_penalty.score(ended, length),
                log_prob=ended,
                end=jnp.full(shape, state.t),
                parent=jnp.broadcast_to(slots, shape),
            ),
        )
        done = finished.score[:, -1] >= length_penalty.score(live[:, 0], length)
        live = jnp.where(done[:, None], -jnp.inf, live)

        origin = jax.lax.optimization_barrier((row + parent).reshape(-1))
        carry = jax.tree.map(lambda leaf: leaf.at[origin].get(mode="promise_in_bounds"), carry)
        written = Trace(token, parent, jnp.asarray(attention, jnp.int32).reshape(shape))
        return _State(length, carry, token, live, finished), written

    def advance_chunk(loop):
        state, trace = loop
        state_after, written = jax.lax.scan(advance, state, length=chunk)
        return state_after, jax.tree.map(
            lambda whole, part: jax.lax.dynamic_update_slice_in_dim(whole, part, state.t, axis=0), trace, written
        )

    def unfinished(loop):
        state, _ = loop
        return (state.t < max_steps) & jnp.any(state.live > -jnp.inf)

    first = jnp.where(max_length > 0, 0.0, -jnp.inf)  # one live hypothesis per sentence: the empty one
    nothing = jnp.full(shape, -jnp.inf)
    start = _State(
        t=jnp.int32(0),
        carry=jax.tree.map(lambda leaf: jnp.repeat(leaf, beam, axis=0), carry),
        token=jnp.full(shape, bos, jnp.int32),
        live=nothing.at[:, 0].set(first),
        finished=Finished(nothing, nothing, jnp.full(shape, -1, jnp.int32), jnp.zeros(shape, jnp.int32)),
    )
    # Whole chunks: the steps past max_steps in the last one find every sentence done.
    empty = jnp.zeros((-(-max_steps // chunk) * chunk, *shape), jnp.int32)
    state, trace = jax.lax.while_loop(unfinished, advance_chunk, (start, Trace(empty, empty, empty)))
    trace = Trace(*(field[:max_steps] for field in trace))
    return read_back(trace, state.finished, eos=eos, pad=pad)


def _log_probs(logits: jax.Array, normalise: bool) -> jax.Array:
    """log-softmax over the last axis in float32; only the normaliser f32[N, 1] is computed apart, the rest fuses."""
    logits = logits.astype(jnp.float32)
    return logits - jax.nn.logsumexp(logits, axis=-1, keepdims=True) if normalise else logits


def _ahead(others: jax.Array, other_index: jax.Array, mine: jax.Array, my_index: jax.Array) -> jax.Array:
    """How many `others` rank before each of `mine`, by value, then lowest index: int32[B, K], from [B, K] each."""
    others, other_index = others[:, None, :], other_index[:, None, :]
    mine, my_index = mine[:, :, None], my_index[:, :, None]
    before = (others > mine) | ((others == mine) & (other_index < my_index))
    return jnp.sum(before, axis=-1, dtype=jnp.int32)


def _keep_best(old: Finished, new: Finished) -> Finished:
    """The K best of both by ranking score; ties go to the old."""
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=1), old, new)
    _, index = jax.lax.top_k(both.score, old.score.shape[1])
    return jax.tree.map(lambda field: jnp.take_along_axis(field, index, axis=1), both)
