"""The encoder-decoder of Luong et al. 2015 as one `flax.linen` module over pure functions.

Inside, time comes first (f32[T, B, H]): a scan reads one contiguous slice per step. Outside, arrays are batch-first.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2slim.models import attention, feeding
from seq2slim.models.cells import CELLS
from seq2slim.models.config import Seq2SeqConfig
from seq2slim.models.dropout import dropout, scaled, split_key
from seq2slim.models.layers import Affine, Attention, Embedding, EncoderLayer, Stack, decoder_layer
from seq2slim.models.precision import wide_product
from seq2slim.special_ids import PAD


class Memory(NamedTuple):
    """The encoded source that the decoder reads; constant along a hypothesis.

    states: f32[B, S, H], top encoder states. mask: bool[B, S], True at words.
    keys: f32[B, S, H], `attention_keys` of the states (concat), else None.
    """

    states: jax.Array
    mask: jax.Array
    keys: jax.Array | None = None


class DecoderCarry(NamedTuple):
    """The decoder's state between steps, leading axis B (or B*K in a beam).

    layers: the state of each layer's cell, f32[B, H] each: (h, c) of an LSTM, (h,) of a GRU.
    fed: f32[B, H], the attentional vector of the previous step (input feeding), else None.
    """

    layers: tuple
    fed: jax.Array | None


class Seq2Seq(nn.Module):
    """Translation model p(target | source); see `Seq2SeqConfig` for its options.

    Methods, all pure: `__call__` (logits of a whole target), `hidden` (the input of the softmax layer), `start` and
    `step` (decoding).
    """

    config: Seq2SeqConfig

    def setup(self):
        c = self.config
        width = c.embedding_size
        self.source_embedding = Embedding(c.source_vocabulary, width, c.init_scale, c.compute_dtype)
        self.target_embedding = Embedding(c.target_vocabulary, width, c.init_scale, c.compute_dtype)
        self.encoder = Stack(c, width, EncoderLayer)
        self.decoder = Stack(c, width + (c.units if c.input_feeding else 0), decoder_layer)
        self.attention = None if c.attention == "none" else Attention(c)
        self.softmax = Affine(c.units, c.target_vocabulary, c.init_scale, c.output_bias, c.compute_dtype)

    def encode(self, source, dropout_key=None, dropout_scale=None):
        """Encoder states and the decoder's initial state.

        Args: source: int32[B, S], padded with 0 on either side. dropout_key, dropout_scale: as in `hidden`.
        Returns: (Memory, DecoderCarry): the decoder starts from the last state of each encoder layer, and from h~ = 0
          (Luong et al. 2015). The last state of a bidirectional layer concatenates that of its forward
          direction after the last word and that of its backward direction after the first.
        """
        keys = split_key(dropout_key, self.config.layers)
        keep = (source != PAD).T[..., None]
        x = self.source_embedding(source.T)
        finals = []
        for layer, key in zip(self.encoder.layers, keys):
            x, final = layer(dropout(key, x, scaled(self.config.dropout, dropout_scale)), keep)
            finals.append(final)
        fed = jnp.zeros_like(x[0]) if self.config.input_feeding else None
        states = jnp.swapaxes(x, 0, 1)
        keys = None if self.attention is None else attention.attention_keys(self.attention(), states)
        return Memory(states, source != PAD, keys), DecoderCarry(tuple(finals), fed)

    def hidden(self, source, target_in, dropout_key=None, dropout_scale=None):
        """Attentional vectors h~ of a target read with teacher forcing.

        Args:
          source: int32[B, S]. target_in: int32[B, T], BOS w_1 .. w_n.
          dropout_key: key, or None for no dropout.
          dropout_scale: f32[], a factor on the configured rates that may change from step to step; None: 1.
        Returns: f32[T, B, H], time first, so that the softmax layer needs no transposition.
        """
        c = self.config
        rate, output_rate = scaled(c.dropout, dropout_scale), scaled(c.output_dropout, dropout_scale)
        encoder_key, decoder_key, output_key = split_key(dropout_key, 3)
        memory, carry = self.encode(source, encoder_key, dropout_scale)
        x = self.target_embedding(target_in.T)
        kernels = [layer() for layer in self.decoder.layers]
        if c.input_feeding:
            h = feeding.fed_decoder(
                CELLS[c.cell], kernels, self.attention(), x, carry, memory, decoder_key, rate, c.window
            )
            return dropout(output_key, h, output_rate)
        for kernel, state, key in zip(kernels, carry.layers, split_key(decoder_key, c.layers)):
            x, _ = CELLS[c.cell].layer(*kernel, dropout(key, x, rate), state)
        if self.attention is not None:
            x, _ = attention.attend(self.attention(), jnp.swapaxes(x, 0, 1), memory, c.window)
            x = jnp.swapaxes(x, 0, 1)
        return dropout(output_key, x, output_rate)

    def logits(self, hidden):
        """Unnormalised scores of every target word: [..., H] -> f32[..., V], float32 in any compute dtype."""
        kernel, _ = self.softmax()
        scores = wide_product(hidden, kernel) if self.config.compute_dtype == "bfloat16" else hidden @ kernel
        return scores if self.softmax.offset is None else scores + self.softmax.offset  # in the loss's dtype

    def candidate_rows(self):
        """The softmax kernel by word, [V, H], for `candidate_logits`; transposed once if called outside of the loop."""
        return self.softmax()[0].T

    def candidate_logits(self, rows, hidden, ids):
        """`logits` of some words only, without forming the others: hidden [..., H], int32[..., C] -> f32[..., C]."""
        scores = jnp.einsum("...h,...ch->...c", hidden, rows[ids], preferred_element_type=jnp.float32)
        return scores if self.softmax.offset is None else scores + self.softmax.offset[ids]

    def __call__(self, source, target_in, dropout_key=None, dropout_scale=None):
        """Logits f32[T, B, V], time first; arguments as in `hidden`."""
        return self.logits(self.hidden(source, target_in, dropout_key, dropout_scale))

    def start(self, source):
        """(Memory, DecoderCarry) before the first target word. source: int32[B, S]."""
        return self.encode(source)

    def step(self, memory, carry, token):
        """One decoding step of N = B*K hypotheses; the K of a sentence are consecutive.

        Args: memory: Memory of B sentences. carry: DecoderCarry, leading axis N. token: int32[N], the previous word.
        Returns: (logits f32[N, V], attention weights f32[N, S], carry). Without attention the weights are zero.
        """
        hidden, weights, carry = self.step_hidden(memory, carry, token)
        return self.logits(hidden), weights, carry

    def step_hidden(self, memory, carry, token):
        """`step` up to the attentional vector: (h~ f32[N, H], attention weights f32[N, S], carry)."""
        c = self.config
        x = self.target_embedding(token)
        if c.input_feeding:
            x = jnp.concatenate([x, carry.fed], -1)
        cell, states = CELLS[c.cell], []
        for layer, state in zip(self.decoder.layers, carry.layers):
            kernel, bias = layer()
            matrices = cell.matrices(kernel, x.shape[-1])
            x, state = cell.step(lambda name, a, matrices=matrices: a @ matrices[name], x, state, bias)
            states.append(state)
        sentences, positions = memory.mask.shape
        weights = jnp.zeros((token.shape[0], positions))
        if self.attention is not None:
            h = x.reshape(sentences, -1, c.units)
            h, weights = attention.attend(self.attention(), h, memory, c.window)
            x, weights = h.reshape(-1, c.units), weights.reshape(-1, positions)
        return x, weights, DecoderCarry(tuple(states), x if c.input_feeding else None)


def init_params(config: Seq2SeqConfig, key):
    """Parameters of a new model, uniform in [-init_scale, init_scale]: the nested dict in docs/architecture.md."""
    one = jnp.ones((1, 1), jnp.int32)
    return Seq2Seq(config).init(key, one, one)["params"]


def param_shapes(config: Seq2SeqConfig):
    """The parameters of a model as `jax.ShapeDtypeStruct`, without allocation."""
    return jax.eval_shape(lambda key: init_params(config, key), jax.random.key(0))
