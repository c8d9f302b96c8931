"""The decoder with input feeding (Luong et al. 2015, sec. 3.3).

Step t reads h~ of step t-1, so attention runs inside the scan.
"""

import jax.numpy as jnp

from seq2slim.models import attention
from seq2slim.models.deferred import deferred_scan
from seq2slim.models.dropout import dropout, split_key
from seq2slim.models.lstm import lstm_step


def fed_decoder(layers, attention_kernels, x, carry, memory, dropout_key, rate):
    """Attentional vectors of a target read with teacher forcing and input feeding.

    Layer 1 reads [x_t ; h~_tm1], every other layer the h_t below it; h~_t = tanh([c_t ; h_t] W_c) of the top layer.

    Args:
      layers: (kernel, bias or None) a layer; the first kernel is f32[E + H + H, 4H], rows
        [embedding; h~_tm1; recurrent].
      attention_kernels: (W_c f32[2H, H], W_a f32[H, H] or None).
      x: f32[T, B, E], embedded target words.
      carry: DecoderCarry before the first step. memory: Memory.
      dropout_key: key, or None for no dropout. rate: of the non-recurrent input of each layer, h~ included.
    Returns: h~ f32[T, B, H].
    """
    steps, batch, width = x.shape
    units = carry.fed.shape[-1]
    kernel, score_kernel = attention_kernels
    keys = split_key(dropout_key, len(layers) + 1)
    ones = jnp.ones((steps, batch, units), x.dtype)
    (first, first_bias), upper = layers[0], layers[1:]
    # The embedded half of layer 1 needs no earlier step: one GEMM for all steps.
    z_x = dropout(keys[-1], x, rate) @ first[:width]
    if first_bias is not None:
        z_x = z_x + first_bias

    constants = {"layer_1": first[width:], "scores": memory.states, "context": memory.states, "attention": kernel}
    equations = {"layer_1": "bi,iz->bz", "scores": "bh,bsh->bs", "context": "bs,bsh->bh", "attention": "bi,ih->bh"}
    if score_kernel is not None:
        constants["score"], equations["score"] = score_kernel, "bi,ih->bh"
    for k, (upper_kernel, bias) in enumerate(upper, 2):
        constants[f"layer_{k}"], equations[f"layer_{k}"] = upper_kernel, "bi,iz->bz"
        if bias is not None:
            constants[f"bias_{k}"], equations[f"bias_{k}"] = bias, "b,z->bz"

    def step(product, carry_t, inputs):
        z_xt, drop_t = inputs
        states, fed = carry_t
        h, c = states[0]
        h, c = lstm_step(z_xt + product("layer_1", jnp.concatenate([fed * drop_t[0], h], -1)), c)
        new = [(h, c)]
        for k, (h_tm1, c_tm1) in enumerate(states[1:], 2):
            z = product(f"layer_{k}", jnp.concatenate([h * drop_t[k - 1], h_tm1], -1))
            if f"bias_{k}" in constants:
                z = z + product(f"bias_{k}", jnp.ones(batch, z.dtype))
            h, c = lstm_step(z, c_tm1)
            new.append((h, c))
        query = h if score_kernel is None else product("score", h)
        weights = attention.attention_weights(product("scores", query), memory.mask)
        context = product("context", weights)
        fed = jnp.tanh(product("attention", jnp.concatenate([context, h], -1)))
        return (tuple(new), fed), fed

    scales = tuple(dropout(key, ones, rate) for key in keys[:-1])
    _, h = deferred_scan(step, tuple(equations.items()), constants, (carry.layers, carry.fed), (z_x, scales))
    return h
