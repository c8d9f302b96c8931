"""The result of a search, and how hypotheses are read back from its trace."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class BeamResult(NamedTuple):
    """The K best hypotheses of each sentence, best first.

    A place without a hypothesis (fewer than K exist, or the row has a maximum length of 0) has length 0, only PAD
    tokens, and log_prob and score -inf.
    """

    tokens: jax.Array  # int32[B, K, T], EOS (if there is one) included, PAD afterwards
    log_prob: jax.Array  # f32[B, K], nats, the sum over the tokens including EOS; or another score of `BeamRules`
    score: jax.Array  # f32[B, K], the ranking score: log_prob / length penalty
    length: jax.Array  # int32[B, K], tokens including EOS (if there is one)
    attention: jax.Array  # int32[B, K, T], padded source position attended to most for each token, -1 after the end


class Trace(NamedTuple):
    """The choices of every search step, time-first. Slot k at step t is the k-th live hypothesis after that step."""

    token: jax.Array  # int32[T, B, K], last token of slot k
    parent: jax.Array  # int32[T, B, K], slot of step t - 1 that it extended
    attention: jax.Array  # int32[T, B, K], attention argmax at step t of slot k of step t - 1


class Finished(NamedTuple):
    """The best finished hypotheses so far, best first; a free place has score -inf and end -1."""

    score: jax.Array  # f32[B, K]
    log_prob: jax.Array  # f32[B, K]
    end: jax.Array  # int32[B, K], step that emitted EOS, or the last token of an output without EOS
    parent: jax.Array  # int32[B, K], slot of step end - 1 that EOS extended; without EOS the slot of step `end`


def n_best(result: BeamResult, count: int) -> BeamResult:
    """The `count` best hypotheses of each sentence; the first is the same whatever the count.

    Raises: ValueError if count is not in 1..K.
    """
    beam = result.score.shape[1]
    if not 1 <= count <= beam:
        raise ValueError(f"count must be in 1..{beam} (the beam of this result), got {count}")
    return BeamResult(*(field[:, :count] for field in result))


def read_back(trace: Trace, finished: Finished, *, eos: int | None, pad: int) -> BeamResult:
    """Hypotheses from back-pointers: one reverse scan over the trace, instead of reordering histories at every step.

    Args:
      trace: T steps.
      finished: hypotheses whose end is in 0..T-1, or -1 for a free place.
      eos, pad: token ids; eos None for hypotheses without one, whose last token is in the trace.
    Returns: the result, tokens int32[B, K, T].
    """
    tokens, attention = _followed(trace, finished.end, finished.parent, eos=eos, pad=pad)
    return BeamResult(tokens, finished.log_prob, finished.score, finished.end + 1, attention)


def read_live(trace: Trace, live: jax.Array, steps: jax.Array | int, *, pad: int) -> BeamResult:
    """The live hypotheses of a beam, by the same scan; they have no EOS, and all of a sentence have its length.

    Args:
      trace: T steps; those from `steps` on are not read.
      live: f32[B, K], score of slot k after `steps` steps (`BeamState.live`); -inf is a place without a hypothesis.
      steps: int32[] or int32[B], steps taken (`BeamState.t`), at most T.
    Returns: the result in the order of the slots, tokens int32[B, K, T]; its score is `live`, without a length penalty.
    """
    steps = jnp.broadcast_to(jnp.asarray(steps, jnp.int32), live.shape[:1])
    length = jnp.where(live > -jnp.inf, steps[:, None], 0)
    slots = jnp.broadcast_to(jnp.arange(live.shape[1], dtype=jnp.int32), live.shape)
    tokens, attention = _followed(trace, length - 1, slots, eos=None, pad=pad)
    return BeamResult(tokens, live, live, length, attention)


def _followed(trace: Trace, end: jax.Array, origin: jax.Array, *, eos: int | None, pad: int):
    """(tokens, attention), int32[B, K, T] each, of hypotheses whose last step is `end`; both int32[B, K].

    `origin` is the slot of step end - 1 that an EOS at step `end` extended; without an EOS, the slot of step `end`.
    """

    def earlier(slot, step):
        t, token_t, parent_t, attention_t = step
        inside, last = t <= end, t == end
        if eos is None:
            slot = jnp.where(last, origin, slot)
        parent = jnp.take_along_axis(parent_t, slot, axis=1)
        token = jnp.take_along_axis(token_t, slot, axis=1)
        if eos is not None:
            parent, token = jnp.where(last, origin, parent), jnp.where(last, eos, token)
        attention = jnp.take_along_axis(attention_t, parent, axis=1)
        outputs = jnp.where(inside, token, pad), jnp.where(inside, attention, -1)
        return jnp.where(inside, parent, slot), outputs

    steps = jnp.arange(trace.token.shape[0], dtype=jnp.int32)
    _, outputs = jax.lax.scan(earlier, jnp.zeros_like(origin), (steps, *trace), reverse=True)  # int32[T, B, K] each
    return tuple(jnp.moveaxis(output, 0, -1) for output in outputs)
