"""Global attention of Luong et al. 2015: scores, the softmax over the source, and the attentional vector h~."""

import jax
import jax.numpy as jnp

# The score of a padded source position: its attention weight is exactly zero, and a row of padding alone stays finite.
PADDING_SCORE = -1e9


def attention_weights(scores, source_mask):
    """Softmax over the source positions that are not padding.

    a_s = exp(score_s) / sum_s' exp(score_s') over the words s' (Luong et al. 2015, eq. 7).

    Args:
      scores: f32[B, ..., S].
      source_mask: bool[B, S], True at words.
    Returns: f32[B, ..., S], each row summing to 1; zero at padding (a sentence of padding alone gets uniform weights).
    """
    mask = source_mask.reshape(source_mask.shape[0], *(1,) * (scores.ndim - 2), source_mask.shape[1])
    return jax.nn.softmax(jnp.where(mask, scores, PADDING_SCORE), axis=-1)


def attention_query(h_t, score_kernel):
    """What is compared with the encoder states: h_t (dot) or h_t W_a (general; Luong et al. 2015, eq. 8).

    Args: h_t: f32[..., H]. score_kernel: W_a f32[H, H], or None for the dot score.
    Returns: f32[..., H]; the score of source position s is its dot product with that encoder state.
    """
    return h_t if score_kernel is None else h_t @ score_kernel


def attentional_vector(kernel, context, h_t):
    """h~_t = tanh([c_t ; h_t] W_c) (Luong et al. 2015, eq. 5).

    Args: kernel: f32[2H, H], rows [context; h_t]. context, h_t: f32[..., H].
    Returns: f32[..., H].
    """
    return jnp.tanh(jnp.concatenate([context, h_t], -1) @ kernel)


def attend(kernel, score_kernel, h, memory, source_mask):
    """Attentional vectors of all decoder steps at once (global attention: Luong et al. 2015, sec. 3.1).

    a_ts = softmax_s(query(h_t) . memory_s);  c_t = sum_s a_ts memory_s;  h~_t = tanh([c_t ; h_t] W_c).

    Args:
      kernel: W_c f32[2H, H]. score_kernel: W_a f32[H, H] for the general score, None for dot.
      h: f32[B, T, H], top decoder states (T may be steps, or hypotheses of one step).
      memory: f32[B, S, H], top encoder states.
      source_mask: bool[B, S].
    Returns: (h~ f32[B, T, H], weights f32[B, T, S]).
    """
    scores = jnp.einsum("bth,bsh->bts", attention_query(h, score_kernel), memory)
    weights = attention_weights(scores, source_mask)
    context = jnp.einsum("bts,bsh->bth", weights, memory)
    return attentional_vector(kernel, context, h), weights
