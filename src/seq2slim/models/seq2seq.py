"""The encoder-decoder of Luong et al. 2015 as one `flax.linen` module over pure functions.

Inside, time comes first (f32[T, B, H]): a scan reads a contiguous slice a step. Outside, arrays are batch-first.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2slim.models import attention, feeding
from seq2slim.models.cells import CELLS
from seq2slim.models.config import Seq2SeqConfig
from seq2slim.models.dropout import dropout, split_key
from seq2slim.models.precision import narrow, wide_product

PAD = 0  # the id that the data room pads with; a word's id is never 0


class Memory(NamedTuple):
    """What the decoder reads of a source sentence; constant along a hypothesis.

    states: f32[B, S, H], top encoder states. mask: bool[B, S], True at words.
    keys: f32[B, S, H], `attention_keys` of the states (concat), else None.
    """

    states: jax.Array
    mask: jax.Array
    keys: jax.Array | None = None


class DecoderCarry(NamedTuple):
    """What changes from step to step, leading axis B (or B*K in a beam).

    layers: the state of each layer's cell, f32[B, H] each: (h, c) of an LSTM, (h,) of a GRU.
    fed: f32[B, H], the attentional vector of the step before (input feeding), else None.
    """

    layers: tuple
    fed: jax.Array | None


def _uniform(scale):
    return lambda key, shape: jax.random.uniform(key, shape, jnp.float32, -scale, scale)


class Embedding(nn.Module):
    """Word vectors: `embedding: f32[V, E]`, read in the compute dtype."""

    size: int
    width: int
    scale: float
    dtype: str = "float32"

    def setup(self):
        self.embedding = self.param("embedding", _uniform(self.scale), (self.size, self.width))

    def __call__(self, ids):
        """int32[...] -> f32[..., E]."""
        return narrow(jnp.take(self.embedding, ids, axis=0), self.dtype)


class Affine(nn.Module):
    """A kernel, and a bias where there is one: the parameters of a recurrent layer or of the softmax."""

    rows: int
    columns: int
    scale: float
    bias: bool
    dtype: str = "float32"

    def setup(self):
        self.kernel = self.param("kernel", _uniform(self.scale), (self.rows, self.columns))
        self.offset = self.param("bias", _uniform(self.scale), (self.columns,)) if self.bias else None

    def __call__(self):
        """(kernel f32[rows, columns], bias f32[columns] or None), in the compute dtype."""
        return narrow(self.kernel, self.dtype), None if self.offset is None else narrow(self.offset, self.dtype)


class EncoderLayer(nn.Module):
    """One encoder layer, reading forwards, or both ways with half of the units each."""

    config: Seq2SeqConfig
    inputs: int

    def setup(self):
        c = self.config
        units = c.units // 2 if c.bidirectional else c.units
        names = ("forward", "backward") if c.bidirectional else ("forward",)
        self.directions = tuple(recurrent_layer(c, self.inputs, units, name=n) for n in names)

    def __call__(self, x, keep):
        """(x f32[S, B, in], keep bool[S, B, 1]) -> (h f32[S, B, H], last state of the cell, f32[B, H] each)."""
        cell = CELLS[self.config.cell]
        zeros = cell.zeros(x.shape[1], self.config.units // len(self.directions), x.dtype)
        runs = [cell.layer(*direction(), x, zeros, keep, reverse=k == 1) for k, direction in enumerate(self.directions)]
        h = jnp.concatenate([h for h, _ in runs], -1)
        return h, tuple(jnp.concatenate(parts, -1) for parts in zip(*(state for _, state in runs)))


class Attention(nn.Module):
    """The parameters of attention by the names of `AttentionKernels`: `kernel` (W_c), and what its kind asks for."""

    config: Seq2SeqConfig

    def setup(self):
        c = self.config
        shapes = {"kernel": (2 * c.units, c.units)}
        if c.attention == "general":
            shapes["score"] = (c.units, c.units)
        if c.attention == "concat":
            shapes |= {"score": (2 * c.units, c.units), "score_vector": (c.units,)}
        if c.attention_span == "local_p":
            shapes |= {"position": (c.units, c.units), "position_vector": (c.units,)}
        self.kernels = {name: self.param(name, _uniform(c.init_scale), shape) for name, shape in shapes.items()}

    def __call__(self):
        """AttentionKernels, in the compute dtype."""
        kernels = {name: narrow(kernel, self.config.compute_dtype) for name, kernel in self.kernels.items()}
        return attention.AttentionKernels(**kernels)


class Seq2Seq(nn.Module):
    """Translation model p(target | source); see `Seq2SeqConfig` for what can vary.

    Methods, all pure: `__call__` (logits of a whole target), `hidden` (what the softmax reads), `start` and `step`
    (decoding).
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

    def encode(self, source, dropout_key=None):
        """Encoder states and what the decoder starts from.

        Args: source: int32[B, S], padded with 0 on either side. dropout_key: key, or None for no dropout.
        Returns: (Memory, DecoderCarry): the decoder starts from the last state of each encoder layer, and from h~ = 0
          (Luong et al. 2015). The last state of a bidirectional layer is that of its forward direction after the last
          word beside that of its backward direction after the first.
        """
        keys = split_key(dropout_key, self.config.layers)
        keep = (source != PAD).T[..., None]
        x = self.source_embedding(source.T)
        finals = []
        for layer, key in zip(self.encoder.layers, keys):
            x, final = layer(dropout(key, x, self.config.dropout), keep)
            finals.append(final)
        fed = jnp.zeros_like(x[0]) if self.config.input_feeding else None
        states = jnp.swapaxes(x, 0, 1)
        keys = None if self.attention is None else attention.attention_keys(self.attention(), states)
        return Memory(states, source != PAD, keys), DecoderCarry(tuple(finals), fed)

    def hidden(self, source, target_in, dropout_key=None):
        """Attentional vectors h~ of a target read with teacher forcing.

        Args: source: int32[B, S]. target_in: int32[B, T], BOS w_1 .. w_n. dropout_key: key, or None for no dropout.
        Returns: f32[T, B, H], time first, so that the softmax reads it without a transposition.
        """
        c = self.config
        encoder_key, decoder_key, output_key = split_key(dropout_key, 3)
        memory, carry = self.encode(source, encoder_key)
        x = self.target_embedding(target_in.T)
        kernels = [layer() for layer in self.decoder.layers]
        if c.input_feeding:
            h = feeding.fed_decoder(
                CELLS[c.cell], kernels, self.attention(), x, carry, memory, decoder_key, c.dropout, c.window
            )
            return dropout(output_key, h, c.output_dropout)
        for kernel, state, key in zip(kernels, carry.layers, split_key(decoder_key, c.layers)):
            x, _ = CELLS[c.cell].layer(*kernel, dropout(key, x, c.dropout), state)
        if self.attention is not None:
            x, _ = attention.attend(self.attention(), jnp.swapaxes(x, 0, 1), memory, c.window)
            x = jnp.swapaxes(x, 0, 1)
        return dropout(output_key, x, c.output_dropout)

    def logits(self, hidden):
        """Unnormalised scores of every target word: [..., H] -> f32[..., V], float32 in any compute dtype."""
        kernel, _ = self.softmax()
        scores = wide_product(hidden, kernel) if self.config.compute_dtype == "bfloat16" else hidden @ kernel
        return scores if self.softmax.offset is None else scores + self.softmax.offset  # as wide as the loss has it

    def __call__(self, source, target_in, dropout_key=None):
        """Logits f32[T, B, V], time first; arguments as in `hidden`."""
        return self.logits(self.hidden(source, target_in, dropout_key))

    def start(self, source):
        """(Memory, DecoderCarry) before the first target word. source: int32[B, S]."""
        return self.encode(source)

    def step(self, memory, carry, token):
        """One decoding step of N = B*K hypotheses, K of each sentence side by side.

        Args: memory: Memory of B sentences. carry: DecoderCarry, leading axis N. token: int32[N], the word before.
        Returns: (logits f32[N, V], attention weights f32[N, S], carry). Without attention the weights are zero.
        """
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
        return self.logits(x), weights, DecoderCarry(tuple(states), x if c.input_feeding else None)


def decoder_layer(config: Seq2SeqConfig, inputs: int, name: str | None = None):
    """Parameters of one decoder layer that reads `inputs` values a step."""
    return recurrent_layer(config, inputs, config.units, name)


def recurrent_layer(config: Seq2SeqConfig, inputs: int, units: int, name: str | None = None):
    """Parameters of one direction of one layer: `kernel: f32[inputs + units, blocks * units]`."""
    columns = CELLS[config.cell].blocks * units
    return Affine(inputs + units, columns, config.init_scale, config.lstm_bias, config.compute_dtype, name=name)


class Stack(nn.Module):
    """`layer_1` .. `layer_L`, each reading the one below; `make(config, inputs, name=...)` makes one."""

    config: Seq2SeqConfig
    inputs: int
    make: object

    def setup(self):
        c = self.config
        self.layers = tuple(
            self.make(c, self.inputs if k == 0 else c.units, name=f"layer_{k + 1}") for k in range(c.layers)
        )


def init_params(config: Seq2SeqConfig, key):
    """Parameters of a new model, uniform in [-init_scale, init_scale]: the nested dict of docs/architecture.md.

    Abstract shapes without any allocation: `jax.eval_shape(lambda k: init_params(config, k), key)`.
    """
    one = jnp.ones((1, 1), jnp.int32)
    return Seq2Seq(config).init(key, one, one)["params"]
