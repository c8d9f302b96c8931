"""The GRU recurrence with a custom VJP, structured as in `lstm.py`.

Cho et al. 2014 in the form of cuDNN, where the reset gate multiplies the recurrent product instead of the state:
U (r * h) would need a second product per step, while r * (U h) shares one with the other two gates.
"""

import jax
import jax.numpy as jnp

from seq2slim.models.precision import add_bias


def gru_gates(a_x, a_h, h_tm1):
    """Gate activations and new state of one step.

    r, z = sigmoid(a_x + a_h);  n = tanh(a_x + r a_h), each from its columns;  h_t = (1 - z) n + z h_tm1.

    Args:
      a_x, a_h: f32[B, 3H], input and recurrent halves of the pre-activations, columns r | z | n.
      h_tm1: f32[B, H]; gates and state are in its dtype.
    Returns: ((r, z, n) each f32[B, H], h_t f32[B, H]).
    """
    units = h_tm1.shape[-1]
    a_x, a_h = a_x.astype(h_tm1.dtype), a_h.astype(h_tm1.dtype)
    gates = jax.nn.sigmoid(a_x[..., : 2 * units] + a_h[..., : 2 * units])
    r, z = gates[..., :units], gates[..., units:]
    n = jnp.tanh(a_x[..., 2 * units :] + r * a_h[..., 2 * units :])
    return (r, z, n), n + z * (h_tm1 - n)


def _forward(w_h, a_x, h_0, keep):
    units = h_0.shape[-1]

    def step(h_tm1, inputs):
        a_xt, keep_t = inputs
        a_h = h_tm1.astype(w_h.dtype) @ w_h
        (r, z, n), h_t = gru_gates(a_xt, a_h, h_tm1)
        if keep_t is not None:
            h_t = jnp.where(keep_t, h_t, h_tm1)
        gates = jnp.concatenate([r, z, n, a_h[:, 2 * units :]], -1)
        return h_t, (h_t.astype(w_h.dtype), gates.astype(w_h.dtype))

    return jax.lax.scan(step, h_0, (a_x, keep))


@jax.custom_vjp
def recurrence(w_h, a_x, h_0, keep=None):
    """Hidden states of a GRU layer whose input projections are given: a_h = h_tm1 W_h.

    Args:
      w_h: f32[H, 3H], recurrent weights, columns r | z | n.
      a_x: f32[T, B, 3H], `x_t W_x` (+ bias) of every step.
      h_0: f32[B, H]. The state is accumulated in its dtype: float32 even if the other arrays are bfloat16.
      keep: bool[T, B, 1] or None; where False (padding) the state is unchanged.
    Returns: (h [T, B, H], in the dtype of w_h; h_T f32[B, H]).
    """
    final, (h, _) = _forward(w_h, a_x, h_0, keep)
    return h, final


def _recurrence_fwd(w_h, a_x, h_0, keep):
    final, (h, gates) = _forward(w_h, a_x, h_0, keep)
    return (h, final), (w_h, h_0, keep, h, gates)


def _recurrence_bwd(residuals, cotangents):
    w_h, h_0, keep, h, gates = residuals
    dh, dh_final = cotangents
    units = h_0.shape[-1]
    w_h_transposed = w_h.T
    h_before = jnp.concatenate([h_0[None].astype(h.dtype), h[:-1]])

    def recurrent(da_x, r):
        """Cotangent of h_tm1 W_h from that of x_t W_x: the candidate's columns were multiplied by r."""
        return jnp.concatenate([da_x[..., : 2 * units], da_x[..., 2 * units :] * r], -1)

    def step(dh_next, inputs):
        dh_t, gates_t, h_tm1, keep_t = inputs
        dh_t = dh_t + dh_next
        r, z, n, a_n = (gates_t[:, k * units : (k + 1) * units] for k in range(4))
        da_n = dh_t * (1 - z) * (1 - n * n)
        da_x = jnp.concatenate([da_n * a_n * r * (1 - r), dh_t * (h_tm1 - n) * z * (1 - z), da_n], -1)
        da_x = da_x.astype(w_h.dtype)
        if keep_t is not None:
            da_x = jnp.where(keep_t, da_x, 0)
        dh_tm1 = dh_t * z + recurrent(da_x, r) @ w_h_transposed
        # At padding the state was unchanged: da is zero and the whole cotangent bypasses the gates.
        return (dh_tm1 if keep_t is None else jnp.where(keep_t, dh_tm1, dh_t)), da_x

    dh_0, da_x = jax.lax.scan(step, dh_final, (dh, gates, h_before, keep), reverse=True)
    dw_h = jnp.einsum("tbh,tba->ha", h_before, recurrent(da_x, gates[..., :units]))
    return dw_h, da_x, dh_0, None


recurrence.defvjp(_recurrence_fwd, _recurrence_bwd)


def gru_layer(kernel, bias, x, state, keep=None, reverse=False):
    """One GRU layer over all steps.

    Args:
      kernel: f32[in + H, 3H], rows [input; recurrent], columns r | z | n.
      bias: f32[3H] or None; one bias, added to the input half (cuDNN has a second one, inside r * (U h)).
      x: f32[T, B, in].
      state: (h_0 f32[B, H],).
      keep: bool[T, B, 1] or None; False at padding, where the state is unchanged.
      reverse: run from the last step to the first; outputs stay in the order of `x`.
    Returns: (h f32[T, B, H], (h_T,)).
    """
    inputs = x.shape[-1]
    a_x = x @ kernel[:inputs]
    if bias is not None:
        a_x = add_bias(a_x, bias)
    if not reverse:
        h, final = recurrence(kernel[inputs:], a_x, *state, keep)
        return h, (final,)
    h, final = recurrence(kernel[inputs:], a_x[::-1], *state, None if keep is None else keep[::-1])
    return h[::-1], (final,)
