"""One interface to the kinds of recurrent layer, LSTM and GRU, for encoder and decoder."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from seq2slim.models.gru import gru_gates, gru_layer
from seq2slim.models.lstm import lstm_layer, lstm_step


class Cell(NamedTuple):
    """One kind of recurrent layer; its state is a tuple of arrays [B, H], h first.

    Attributes:
      blocks: the kernel is f32[in + H, blocks * H], rows [input; recurrent].
      zeros: (batch, units, dtype) -> state before the first word. What accumulates over steps (c of the LSTM, h of the
        GRU) is float32 even if the dtype is narrower: a sum of T small terms in bfloat16 stops growing when it is 2^8
        times the term.
      layer: (kernel, bias or None, x [T, B, in], state, keep or None, reverse=False) -> (h [T, B, H], state); all
        steps, with a custom VJP.
      matrices: (kernel, in) -> {name: matrix}, the matrices that one step multiplies by.
      step: (product, x_t [B, in], state, offset or None) -> (h_t [B, H], state), where product(name, a) is
        a @ matrices[name], called once per name; offset [B, blocks * H] (a bias) is added to the pre-activations of
        the input.
    """

    blocks: int
    zeros: Callable
    layer: Callable
    matrices: Callable
    step: Callable


def _lstm_zeros(batch, units, dtype):
    return jnp.zeros((batch, units), dtype), *_gru_zeros(batch, units, dtype)


def _lstm_matrices(kernel, inputs):
    return {"kernel": kernel}


def _lstm_step(product, x_t, state, offset):
    h_tm1, c_tm1 = state
    z_t = product("kernel", jnp.concatenate([x_t, h_tm1], -1))
    h_t, c_t = lstm_step(z_t if offset is None else z_t + offset, c_tm1)
    return h_t, (h_t, c_t)


def _gru_zeros(batch, units, dtype):
    return (jnp.zeros((batch, units), jnp.promote_types(dtype, jnp.float32)),)


def _gru_matrices(kernel, inputs):
    return {"input": kernel[:inputs], "recurrent": kernel[inputs:]}


def _gru_step(product, x_t, state, offset):
    (h_tm1,) = state
    a_x = product("input", x_t)
    a_h = product("recurrent", h_tm1.astype(x_t.dtype))
    _, h_t = gru_gates(a_x if offset is None else a_x + offset, a_h, h_tm1)
    return h_t.astype(x_t.dtype), (h_t,)


CELLS = {
    "lstm": Cell(4, _lstm_zeros, lstm_layer, _lstm_matrices, _lstm_step),
    "gru": Cell(3, _gru_zeros, gru_layer, _gru_matrices, _gru_step),
}
