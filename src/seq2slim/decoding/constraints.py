"""Constraints on the next token: which successors a hypothesis may have, as pure functions of a state that it carries.

A search repeats the state for its K hypotheses, reorders it with them and advances it by the token of each. EOS is
subject to the constraint like any other token, and the limits on the length hold as well: a hypothesis that may
neither go on nor end is dead. PAD and BOS are never emitted, whatever the constraint allows.

Both forms give the same n-best, ties included. A list of candidates is the faster one where it is short: the
scores of other tokens are never computed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from seq2slim.special_ids import EOS, PAD

State = Any  # a pytree of arrays with leading axis N = B*K


@dataclass(frozen=True)
class Constraint:
    """Which tokens may follow; exactly one of `allowed` and `candidates` is given. All are pure and run under jit.

    A constraint is hashed by its functions, as a static argument of a jitted search: make it once, for another one
    means another compilation (`multiset` is cached for this). Arrays that differ between sentences belong to the state;
    numpy tables that do not, e.g. bool[V], may be closed over and become constants of the compiled search.

    Attributes:
      start: source int32[B, S] -> state before the first token, leading axis B. The source is in the order of the text,
        padded with PAD on the right, also for a model that reads it backwards.
      advance: (state, token int32[N]) -> state after the token. Slots without a hypothesis pass arbitrary tokens, and
        what becomes of their state is never used.
      allowed: state -> bool[N, V], True for each token that may follow.
      candidates: state -> int32[N, C], the tokens that may follow, in any order, filled with PAD. An id counts once,
        however often it is listed.
    """

    start: Callable[[jax.Array], State]
    advance: Callable[[State, jax.Array], State]
    allowed: Callable[[State], jax.Array] | None = None
    candidates: Callable[[State], jax.Array] | None = None

    def __post_init__(self):
        if (self.allowed is None) == (self.candidates is None):
            raise ValueError("a constraint has either `allowed` or `candidates`, one of them and not both")


def as_mask(constraint: Constraint, vocabulary: int) -> Constraint:
    """The same constraint as a mask over `vocabulary` ids; for searches that form all scores anyway."""
    if constraint.candidates is None:
        return constraint

    def allowed(state):
        ids = constraint.candidates(state)
        rows = jnp.arange(ids.shape[0], dtype=jnp.int32)[:, None]
        return jnp.zeros((ids.shape[0], vocabulary), bool).at[rows, ids].set(True)

    return Constraint(constraint.start, constraint.advance, allowed=allowed)


class Multiset(NamedTuple):
    """The words of a source and which of them are unused. N hypotheses."""

    words: jax.Array  # int32[N, S]
    unused: jax.Array  # bool[N, S]


@cache
def multiset(eos: int | None = EOS) -> Constraint:
    """The output is a permutation of the source's words: each is used exactly as often as it occurs (word ordering).

    Args:
      eos: the only successor once every word is used; None for outputs of a fixed length, that of the source.
    Returns: Constraint in the form of candidates, C = S, and 1 more with an `eos`. Source and output share their ids.
    """

    def start(source):
        return Multiset(source, source != PAD)

    def candidates(state):
        open_words = jnp.where(state.unused, state.words, PAD)
        if eos is None:
            return open_words
        end = jnp.where(state.unused.any(-1, keepdims=True), PAD, eos)
        return jnp.concatenate([open_words, end.astype(open_words.dtype)], axis=-1)

    def advance(state, token):
        same = state.unused & (state.words == token[:, None])
        first = same & (jnp.cumsum(same, axis=-1) == 1)
        return state._replace(unused=state.unused & ~first)

    return Constraint(start, advance, candidates=candidates)


@cache
def without(ids: tuple[int, ...], vocabulary: int) -> Constraint:
    """No token of `ids` is ever emitted, e.g. UNK; a mask over `vocabulary` ids that is the same at every step.

    Its state is empty but for the batch size: bool[N].
    """

    def allowed(state):
        mask = jnp.all(jnp.arange(vocabulary)[:, None] != jnp.asarray(ids, jnp.int32), axis=-1)
        return jnp.broadcast_to(mask, (state.shape[0], vocabulary))

    return Constraint(lambda source: jnp.ones(source.shape[0], bool), lambda state, token: state, allowed=allowed)
