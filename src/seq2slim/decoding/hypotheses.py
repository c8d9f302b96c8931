"""The result of a search, and how hypotheses are read back from its trace."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class BeamResult(NamedTuple):
    """The K best hypotheses of each sentence, best first.

    A place without a hypothesis (fewer than K exist, or the row has a maximum length of 0) has length 0, only PAD
    tokens, and log_prob and score -inf.
    """

    tokens: jax.Array  # int32[B, K, T], EOS included, PAD afterwards
    log_prob: jax.Array  # f32[B, K], nats, the sum over the tokens including EOS
    score: jax.Array  # f32[B, K], the ranking score: log_prob / length penalty
    length: jax.Array  # int32[B, K], tokens including EOS
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
    end: jax.Array  # int32[B, K], step that emitted EOS
    parent: jax.Array  # int32[B, K], slot of step end - 1 that EOS extended


def n_best(result: BeamResult, count: int) -> BeamResult:
    """The `count` best hypotheses of each sentence; the first is the same whatever the count.

    Raises: ValueError if count is not in 1..K.
    """
    beam = result.score.shape[1]
    if not 1 <= count <= beam:
        raise ValueError(f"count must be in 1..{beam} (the beam of this result), got {count}")
    return BeamResult(*(field[:, :count] for field in result))


def read_back(trace: Trace, finished: Finished, *, eos: int, pad: int) -> BeamResult:
    """Hypotheses from back-pointers: one reverse scan over the trace, instead of reordering histories at every step.

    Args:
      trace: T steps.
      finished: hypotheses whose end is in 0..T-1, or -1 for a free place.
      eos, pad: token ids.
    Returns: the result, tokens int32[B, K, T].
    """

    def earlier(slot, step):
        t, token_t, parent_t, attention_t = step
        inside, last = t <= finished.end, t == finished.end
        parent = jnp.where(last, finished.parent, jnp.take_along_axis(parent_t, slot, axis=1))
        token = jnp.where(last, eos, jnp.take_along_axis(token_t, slot, axis=1))
        attention = jnp.take_along_axis(attention_t, parent, axis=1)
        outputs = jnp.where(inside, token, pad), jnp.where(inside, attention, -1)
        return jnp.where(inside, parent, slot), outputs

    steps = jnp.arange(trace.token.shape[0], dtype=jnp.int32)
    start = jnp.zeros_like(finished.parent)
    _, (tokens, attention) = jax.lax.scan(earlier, start, (steps, *trace), reverse=True)  # int32[T, B, K] each
    return BeamResult(
        tokens=jnp.moveaxis(tokens, 0, -1),
        log_prob=finished.log_prob,
        score=finished.score,
        length=finished.end + 1,
        attention=jnp.moveaxis(attention, 0, -1),
    )
