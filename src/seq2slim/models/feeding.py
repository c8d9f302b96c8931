"""The decoder with input feeding (Luong et al. 2015, sec. 3.3).

Step t reads h~ of step t - 1, so attention runs inside the scan.
"""

import jax.numpy as jnp

from seq2slim.models import attention
from seq2slim.models.deferred import deferred_scan
from seq2slim.models.dropout import dropout, split_key
from seq2slim.models.precision import add_bias


def fed_decoder(cell, layers, kernels, x, carry, memory, dropout_key, rate, window=0):
    """Attentional vectors of a target read with teacher forcing and input feeding.

    Layer 1 reads [x_t ; h~_tm1], every other layer the h_t below it; h~_t = tanh([c_t ; h_t] W_c) of the top layer.

    Args:
      cell: Cell.
      layers: (kernel, bias or None) per layer; the first kernel is f32[E + H + H, blocks * H], rows
        [embedding; h~_tm1; recurrent].
      kernels: AttentionKernels.
      x: f32[T, B, E], embedded target words.
      carry: DecoderCarry before the first step. memory: Memory.
      dropout_key: key, or None for no dropout. rate: of the non-recurrent input of each layer, h~ included.
      window: D of local-p attention.
    Returns: h~ f32[T, B, H].
    """
    steps, batch, width = x.shape
    units = carry.fed.shape[-1]
    keys = split_key(dropout_key, len(layers) + 1)
    ones = jnp.ones((steps, batch, units), x.dtype)
    # The embedding half of layer 1 does not depend on earlier steps: one GEMM for all steps.
    first, first_bias = layers[0]
    z_x = dropout(keys[-1], x, rate) @ first[:width]
    if first_bias is not None:
        z_x = add_bias(z_x, first_bias)

    constants = attention.attention_constants(kernels, memory)
    attended = frozenset(constants)
    equations = {name: attention.EQUATIONS[name] for name in constants}
    for k, (kernel, bias) in enumerate([(first[width:], None), *layers[1:]], 1):
        for name, matrix in cell.matrices(kernel, units).items():
            constants[f"layer_{k}/{name}"], equations[f"layer_{k}/{name}"] = matrix, "bi,iz->bz"
        if bias is not None:
            constants[f"layer_{k}/bias"], equations[f"layer_{k}/bias"] = bias, "b,z->bz"

    def step(product, carry_t, inputs):
        z_xt, drop_t = inputs
        states, x_t = carry_t
        new = []
        for k, (state, drop) in enumerate(zip(states, drop_t), 1):
            offset = z_xt if k == 1 else None
            if f"layer_{k}/bias" in constants:
                offset = product(f"layer_{k}/bias", jnp.ones(batch, x_t.dtype))
            x_t, state = cell.step(lambda name, a, k=k: product(f"layer_{k}/{name}", a), x_t * drop, state, offset)
            new.append(state)
        fed, _ = attention.attentional_vector(product, attended, x_t, memory.mask, window)
        return (tuple(new), fed), fed

    scales = tuple(dropout(key, ones, rate) for key in keys[:-1])
    _, h = deferred_scan(step, tuple(equations.items()), constants, (carry.layers, carry.fed), (z_x, scales))
    return h
