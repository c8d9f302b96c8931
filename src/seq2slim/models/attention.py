"""Attention of Luong et al. 2015: scores, global and local weights over the source, and the attentional vector h~.

The equations are written once, in terms of `product(name, a)`, a product with what is constant over steps (weights,
encoder states). `attend` computes all decoder steps in one product each, the fed decoder step by step (`feeding.py`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Score of a padded source position: its attention weight is exactly zero, and a row of only padding stays finite.
PADDING_SCORE = -1e9

# Products of one decoder step: einsum(equation, a, constant). The kind of attention determines which are used.
EQUATIONS = {
    "query": "bi,ih->bh",  # general, concat
    "keys": "b,bsh->bsh",  # concat
    "energies": "bsh,h->bs",  # concat
    "scores": "bh,bsh->bs",  # dot, general
    "position": "bi,ih->bh",  # local-p
    "position_vector": "bh,h->b",  # local-p
    "context": "bs,bsh->bh",
    "attention": "bi,ih->bh",
}


class AttentionKernels(NamedTuple):
    """The parameters of attention; None for those that the kind of attention does not have.

    kernel: W_c f32[2H, H], rows [context; h_t]. score: W_a, f32[H, H] (general) or f32[2H, H], rows [h_t; state]
    (concat). score_vector: v_a f32[H] (concat). position: W_p f32[H, H] and position_vector: v_p f32[H] (local-p).
    """

    kernel: jax.Array
    score: jax.Array | None = None
    score_vector: jax.Array | None = None
    position: jax.Array | None = None
    position_vector: jax.Array | None = None


def attention_keys(kernels, states):
    """Keys of concat, [0 ; state] W_a: f32[B, S, H] -> f32[B, S, H], once per sentence. None otherwise."""
    return None if kernels.score_vector is None else states @ kernels.score[states.shape[-1] :]


def attention_constants(kernels, memory):
    """The second operand of each product that these parameters need: dict, names of EQUATIONS -> array.

    Args: kernels: AttentionKernels. memory: Memory; its `keys` are read for concat.
    """
    constants = {"context": memory.states, "attention": kernels.kernel}
    if kernels.score_vector is not None:
        units = memory.states.shape[-1]
        constants |= {"query": kernels.score[:units], "keys": memory.keys, "energies": kernels.score_vector}
    else:
        constants |= {"scores": memory.states} | ({} if kernels.score is None else {"query": kernels.score})
    if kernels.position is not None:
        constants |= {"position": kernels.position, "position_vector": kernels.position_vector}
    return constants


def attention_weights(scores, source_mask):
    """Softmax over the source positions that are not padding, in float32 at least.

    a_s = exp(score_s) / sum_s' exp(score_s') over the words s' (Luong et al. 2015, eq. 7).

    Args:
      scores: f32[B, ..., S].
      source_mask: bool[B, S], True at words (or shaped like `scores`).
    Returns: f32[B, ..., S], each row summing to 1; zero at padding (a row of only padding gets uniform weights).
    """
    if source_mask.ndim != scores.ndim:
        source_mask = _over_steps(source_mask, scores.ndim)
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    return jax.nn.softmax(jnp.where(source_mask, scores, PADDING_SCORE), axis=-1)


def local_weights(scores, source_mask, centre, window):
    """Weights of local-p: a softmax within a predicted window, times a Gaussian (Luong et al. 2015, sec. 3.2).

    p_t = S sigmoid(centre_t);  a_s = softmax_s'(score_s') exp(-(s - p_t)^2 / (2 sigma^2)),  sigma = D / 2, where s'
    runs over the words within D of p_t (their eqs. 9 and 10). S counts the words of the sentence, without padding, and
    s = 1..S numbers them in the order they are read, along the array, whichever side is padded. As in the paper the
    weights are not normalised again, and p_t gets its gradient from the Gaussian alone.

    Args:
      scores: f32[B, ..., S]. source_mask: bool[B, S], True at words.
      centre: f32[B, ...], v_p^T tanh(W_p h_t). window: D, a Python int, at least 1, so that no window is empty.
    Returns: f32[B, ..., S], each row summing to at most 1; zero at padding and outside the window.
    """
    dtype = jnp.promote_types(scores.dtype, jnp.float32)
    positions = _over_steps(jnp.cumsum(source_mask, -1).astype(dtype), scores.ndim)
    words = _over_steps(source_mask.sum(-1, keepdims=True).astype(dtype), scores.ndim)
    distance = positions - words * jax.nn.sigmoid(centre.astype(dtype))[..., None]
    inside = _over_steps(source_mask, scores.ndim) & (jnp.abs(distance) <= window)
    return attention_weights(scores, inside) * jnp.exp(-(distance**2) / (2 * (window / 2) ** 2))


def attentional_vector(product, names, h, source_mask, window):
    """h~_t of decoder states, and its attention weights.

    query_t = h_t (dot) or W_a h_t (general; as [h_t ; 0] W_a for concat);  score_ts = query_t . state_s, or
    v_a^T tanh(query_t + key_s) for concat (Luong et al. 2015, eq. 8);  c_t = sum_s a_ts state_s;
    h~_t = tanh([c_t ; h_t] W_c) (eq. 5).

    Args:
      product: (name, a) -> einsum(EQUATIONS[name], a, constant), called at most once per name.
      names: of the available constants; they determine the kind of attention.
      h: f32[B, H], or f32[B, Q, H] if the products have an axis Q too. source_mask: bool[B, S].
      window: D of local-p.
    Returns: (h~ like h, weights f32[B, (Q,) S]).
    """
    query = product("query", h) if "query" in names else h
    if "keys" in names:
        keys = product("keys", jnp.ones(h.shape[:-1], h.dtype))
        scores = product("energies", jnp.tanh(query[..., None, :] + keys))
    else:
        scores = product("scores", query)
    if "position" in names:
        centre = product("position_vector", jnp.tanh(product("position", h)))
        weights = local_weights(scores, source_mask, centre, window)
    else:
        weights = attention_weights(scores, source_mask)
    context = product("context", weights.astype(h.dtype))
    return jnp.tanh(product("attention", jnp.concatenate([context, h], -1))), weights


def attend(kernels, h, memory, window=0):
    """Attentional vectors of all decoder steps at once.

    Dot, general and local-p hold f32[B, T, S] at most; concat holds f32[B, T, S, H], H times as much.

    Args:
      kernels: AttentionKernels.
      h: f32[B, T, H], top decoder states (T may be steps, or hypotheses of one step).
      memory: Memory: states f32[B, S, H], mask bool[B, S], keys.
      window: D of local-p.
    Returns: (h~ f32[B, T, H], weights f32[B, T, S]).
    """
    constants = attention_constants(kernels, memory)

    def product(name, a):
        return jnp.einsum(_with_queries(EQUATIONS[name]), a, constants[name])

    return attentional_vector(product, constants, h, memory.mask, window)


def _with_queries(equation):
    """The equation for several decoder states of each sentence: "bh,bsh->bs" -> "bqh,bsh->bqs"."""
    operands, result = equation.split("->")
    a, constant = operands.split(",")
    return f"bq{a[1:]},{constant}->bq{result[1:]}"


def _over_steps(x, ndim):
    """[B, S] -> [B, 1.., S] with `ndim` axes."""
    return x.reshape(x.shape[0], *(1,) * (ndim - 2), x.shape[1])
