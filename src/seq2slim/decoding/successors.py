"""The parts of one step of a beam: all successors of the live hypotheses, the best of them, and the beam they make.

`beam.beam_step` is made of these. A driver with other rules of who stays in the beam, e.g. training along a gold
sequence, changes `Expansion.score` or picks `Successors` itself between `expand` and `extend`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seq2slim.decoding.beam_rules import BeamRules
from seq2slim.decoding.constraints import Constraint
from seq2slim.decoding.hypotheses import Finished, Trace
from seq2slim.decoding.length_limits import LengthLimits
from seq2slim.decoding.top_k import top_k

Carry = Any
Step = Callable[..., tuple[jax.Array, Carry, jax.Array]]


class BeamState(NamedTuple):
    """K live hypotheses of each of B sentences, best first, and those that are finished."""

    t: jax.Array  # int32[], steps taken
    carry: Carry  # leaves [B*K, ...], of the live hypotheses
    constraint: Any  # state of the constraint of the live hypotheses, leaves [B*K, ...]; () without a constraint
    token: jax.Array  # int32[B, K], their last token
    live: jax.Array  # f32[B, K], their accumulated score; -inf is dead, all dead is done
    finished: Finished


class Expansion(NamedTuple):
    """All successors of the live hypotheses. C is V, or the length of the constraint's list of candidates."""

    score: jax.Array  # f32[B, K, C], accumulated with the token, EOS included; -inf where it may not follow
    candidates: jax.Array | None  # int32[B, K, C], ascending in each slot, or None where candidate c is token c
    carry: Carry  # leaves [B*K, ...], after the step, of the hypotheses that are extended
    attention: jax.Array  # int32[B, K], most attended source position of the step

    @property
    def token(self) -> jax.Array:
        """int32[B, K, C] or int32[1, 1, C], the token of each successor."""
        if self.candidates is None:
            return jnp.arange(self.score.shape[-1], dtype=jnp.int32)[None, None]
        return self.candidates


class Successors(NamedTuple):
    """Chosen successors of each sentence, in the order of their slots in the next beam."""

    score: jax.Array  # f32[B, K], accumulated; -inf is dead
    parent: jax.Array  # int32[B, K], slot that is extended
    token: jax.Array  # int32[B, K]


def expand(
    step: Step, state: BeamState, rules: BeamRules, limits: LengthLimits, constraint: Constraint | None = None
) -> Expansion:
    """Runs the model for one step and scores every successor.

    Args:
      step: as in `beam_search`.
      limits: fewest and most tokens, int32[B] or int; without an EOS only the most count.
    Returns: Expansion of the K slots of `state`; C is static.
    Raises: ValueError if `rules.eos` is not among the V ids, or equals the `pad` that fills a list of candidates.
    """
    batch, beam = state.live.shape
    previous, eos, length = state.token.reshape(-1), rules.eos, state.t + 1
    ids = mask = None
    if constraint is not None and constraint.candidates is not None:
        if eos == rules.pad:
            raise ValueError(
                f"eos={eos} equals pad, which fills the lists of candidates: EOS could not be told from it"
            )
        # Ascending, so that ties go to the lowest token id and duplicates stand side by side.
        ids = jnp.sort(constraint.candidates(state.constraint).astype(jnp.int32), axis=-1)  # int32[N, C]
        logits, carry, attention = step(state.carry, previous, ids)
        mask = jnp.pad(ids[:, 1:] != ids[:, :-1], ((0, 0), (1, 0)), constant_values=True)
    else:
        logits, carry, attention = step(state.carry, previous)
        if eos is not None and not 0 <= eos < logits.shape[-1]:
            raise ValueError(
                f"eos={eos} is not among the {logits.shape[-1]} ids that the step scores: no hypothesis could end"
            )
        if constraint is not None:
            mask = constraint.allowed(state.constraint)
    width = logits.shape[-1]
    candidates = None if ids is None else ids.reshape(batch, beam, width)
    expansion = Expansion(logits, candidates, carry, jnp.asarray(attention, jnp.int32).reshape(batch, beam))
    token = jnp.arange(width, dtype=jnp.int32)[None, None] if ids is None else candidates
    is_open = jnp.all(token[..., None] != jnp.asarray(rules.closed, jnp.int32), axis=-1)  # bool[B, K, C] or [1, 1, C]

    if mask is not None:  # before the softmax: probabilities are those of what is allowed
        logits = jnp.where(mask.reshape(batch, beam, width) & is_open, logits.reshape(batch, beam, width), -jnp.inf)
        logits = logits.reshape(batch * beam, width)
    score = _token_scores(logits, rules.normalise).reshape(batch, beam, width)
    if rules.accumulate == "sum":
        score = score + state.live[:, :, None]
    else:
        score = jnp.where(state.live[:, :, None] > -jnp.inf, score, -jnp.inf)
    score = jnp.where(jnp.isnan(score), -jnp.inf, score)

    lowest, highest = (jnp.broadcast_to(jnp.asarray(limit, jnp.int32), (batch,))[:, None, None] for limit in limits)
    if eos is None:
        may_follow = is_open & (length <= highest)
    else:
        may_follow = jnp.where(token == eos, length >= lowest, is_open & (length < highest))
    return expansion._replace(score=jnp.where(may_follow, score, -jnp.inf))


def best_successors(expansion: Expansion, count: int) -> Successors:
    """The `count` best successors of each sentence by accumulated score, ties by lowest (slot, token)."""
    batch, _, width = expansion.score.shape
    # The barrier halves the time of the search on CPU: without it XLA recomputes the winners in each of the small
    # operations that follow, and for every number of the carry that is reordered.
    score, index = jax.lax.optimization_barrier(top_k(expansion.score.reshape(batch, -1), count))
    if expansion.candidates is None:
        token = index % width
    else:
        token = jnp.take_along_axis(expansion.candidates.reshape(batch, -1), index, axis=1)
    return Successors(score, index // width, token)


def extend(
    state: BeamState, expansion: Expansion, chosen: Successors, constraint: Constraint | None = None
) -> tuple[BeamState, Trace]:
    """The beam of the chosen successors, all of them live, and what a trace keeps of the step.

    Args:
      expansion: of `state`.
      chosen: any of its successors, e.g. the gold one in slot 0. The next beam is as wide.
    """
    batch, beam = state.live.shape
    row = jnp.arange(batch, dtype=jnp.int32)[:, None] * beam
    origin = jax.lax.optimization_barrier((row + chosen.parent).reshape(-1))
    carry, constrained = jax.tree.map(
        lambda leaf: leaf.at[origin].get(mode="promise_in_bounds"), (expansion.carry, state.constraint)
    )
    if constraint is not None:
        constrained = constraint.advance(constrained, chosen.token.reshape(-1))
    state = BeamState(state.t + 1, carry, constrained, chosen.token, chosen.score, state.finished)
    return state, Trace(chosen.token, chosen.parent, expansion.attention)


def _token_scores(logits: jax.Array, normalise: bool) -> jax.Array:
    """Logits, or their log-softmax, in float32; only the normaliser f32[N, 1] is computed apart, the rest fuses."""
    logits = logits.astype(jnp.float32)
    return logits - jax.nn.logsumexp(logits, axis=-1, keepdims=True) if normalise else logits
