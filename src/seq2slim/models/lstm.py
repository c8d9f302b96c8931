"""The LSTM recurrence with a custom VJP.

Autodiff of a scanned LSTM adds one weight-gradient GEMM to every step of the reverse scan. Here the forward scan saves
the gates and cells, the reverse scan emits only dz, and dW of the recurrent half is one GEMM over all steps afterwards;
the input half, `x @ W_x`, is computed outside the scan.
"""

import jax
import jax.numpy as jnp

from seq2slim.models.precision import add_bias


def lstm_gates(z_t, c_tm1):
    """Gate activations and new cell of one step (Zaremba et al. 2014; block order of Luong et al. 2015).

    i, f, o = sigmoid(z_i, z_f, z_o);  h^ = tanh(z_h^);  c_t = f c_tm1 + i h^.

    Args:
      z_t: f32[B, 4H], pre-activations in the order i | f | o | h^.
      c_tm1: f32[B, H]; gates and cell are in its dtype.
    Returns: ((i, f, o, h^) each f32[B, H], c_t f32[B, H]).
    """
    units = c_tm1.shape[-1]
    z_t = z_t.astype(c_tm1.dtype)  # in bfloat16 a forget gate above 1 - 2^-9 rounds to 1
    gates = jax.nn.sigmoid(z_t[..., : 3 * units])
    i, f, o = (gates[..., k * units : (k + 1) * units] for k in range(3))
    g = jnp.tanh(z_t[..., 3 * units :])
    return (i, f, o, g), f * c_tm1 + i * g


def lstm_step(z_t, c_tm1):
    """(h_t, c_t) of one step from its pre-activations: h_t = o tanh(c_t). Shapes as in `lstm_gates`."""
    (_, _, o, _), c_t = lstm_gates(z_t, c_tm1)
    return (o * jnp.tanh(c_t)).astype(z_t.dtype), c_t


def _forward(w_h, z_x, h_0, c_0, keep):
    def step(carry, inputs):
        h_tm1, c_tm1 = carry
        z_xt, keep_t = inputs
        (i, f, o, g), c_t = lstm_gates(z_xt + h_tm1 @ w_h, c_tm1)
        h_t = (o * jnp.tanh(c_t)).astype(h_tm1.dtype)
        if keep_t is not None:
            h_t, c_t = jnp.where(keep_t, h_t, h_tm1), jnp.where(keep_t, c_t, c_tm1)
        return (h_t, c_t), (h_t, c_t, jnp.concatenate([i, f, o, g], -1).astype(h_t.dtype))

    return jax.lax.scan(step, (h_0, c_0), (z_x, keep))


@jax.custom_vjp
def recurrence(w_h, z_x, h_0, c_0, keep=None):
    """Hidden states of an LSTM layer whose input projections are given: z_t = z_xt + h_tm1 W_h.

    Args:
      w_h: f32[H, 4H], recurrent weights, columns i | f | o | h^.
      z_x: f32[T, B, 4H], `x_t W_x` (+ bias) of every step.
      h_0, c_0: f32[B, H], state before the first step. c is accumulated in its dtype: float32 even if h and the
        products are bfloat16.
      keep: bool[T, B, 1] or None; where False (padding) the state is unchanged.
    Returns: (h f32[T, B, H], (h_T f32[B, H], c_T f32[B, H])).
    """
    final, (h, _, _) = _forward(w_h, z_x, h_0, c_0, keep)
    return h, final


def _recurrence_fwd(w_h, z_x, h_0, c_0, keep):
    final, (h, c, gates) = _forward(w_h, z_x, h_0, c_0, keep)
    return (h, final), (w_h, h_0, c_0, keep, h, c, gates)


def _recurrence_bwd(residuals, cotangents):
    w_h, h_0, c_0, keep, h, c, gates = residuals
    dh, (dh_final, dc_final) = cotangents
    units = h_0.shape[-1]
    w_h_transposed = w_h.T
    h_before = jnp.concatenate([h_0[None], h[:-1]])
    c_before = jnp.concatenate([c_0[None], c[:-1]])

    def step(carry, inputs):
        dh_next, dc_next = carry
        dh_t, gates_t, c_t, c_tm1, keep_t = inputs
        dh_t = dh_t + dh_next
        i, f, o, g = (gates_t[:, k * units : (k + 1) * units] for k in range(4))
        tanh_c = jnp.tanh(c_t)
        dc_t = dc_next + dh_t * o * (1 - tanh_c * tanh_c)
        # At padding c_t is c_tm1: its whole cotangent bypasses the gates, and dz is zero.
        dz_t = jnp.concatenate(
            [
                dc_t * g * i * (1 - i),
                dc_t * c_tm1 * f * (1 - f),
                dh_t * tanh_c * o * (1 - o),
                dc_t * i * (1 - g * g),
            ],
            -1,
        ).astype(w_h.dtype)
        if keep_t is None:
            return (dz_t @ w_h_transposed, dc_t * f), dz_t
        dz_t = jnp.where(keep_t, dz_t, 0)
        dh_tm1 = jnp.where(keep_t, dz_t @ w_h_transposed, dh_t)
        return (dh_tm1, jnp.where(keep_t, dc_t * f, dc_next)), dz_t

    (dh_0, dc_0), dz = jax.lax.scan(step, (dh_final, dc_final), (dh, gates, c, c_before, keep), reverse=True)
    dw_h = jnp.einsum("tbh,tbz->hz", h_before, dz)
    return dw_h, dz, dh_0, dc_0, None


recurrence.defvjp(_recurrence_fwd, _recurrence_bwd)


def lstm_layer(kernel, bias, x, state, keep=None, reverse=False):
    """One LSTM layer over all steps: z_t = [x_t ; h_tm1] W + b.

    Args:
      kernel: f32[in + H, 4H], rows [input; recurrent], columns i | f | o | h^ (T_{4n,2n} of the papers, transposed).
      bias: f32[4H] or None.
      x: f32[T, B, in].
      state: (h_0, c_0), f32[B, H] each.
      keep: bool[T, B, 1] or None; False at padding, where the state is unchanged.
      reverse: run from the last step to the first; outputs stay in the order of `x`.
    Returns: (h f32[T, B, H], (h_T, c_T)).
    """
    inputs = x.shape[-1]
    z_x = x @ kernel[:inputs]
    if bias is not None:
        z_x = add_bias(z_x, bias)
    if not reverse:
        return recurrence(kernel[inputs:], z_x, *state, keep)
    h, final = recurrence(kernel[inputs:], z_x[::-1], *state, None if keep is None else keep[::-1])
    return h[::-1], final
