"""The parameters of the encoder-decoder, layer by layer, by their names in the tree that is pruned."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from seq2slim.models import attention
from seq2slim.models.cells import CELLS
from seq2slim.models.config import Seq2SeqConfig
from seq2slim.models.precision import narrow


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
    """A kernel and an optional bias: the parameters of a recurrent layer or of the softmax."""

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
    """One encoder layer, forward, or in both directions with half of the units each."""

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
    """The parameters of attention, named as in `AttentionKernels`: `kernel` (W_c), and those that its kind needs."""

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


def decoder_layer(config: Seq2SeqConfig, inputs: int, name: str | None = None):
    """Parameters of one decoder layer that reads `inputs` values per step."""
    return recurrent_layer(config, inputs, config.units, name)


def recurrent_layer(config: Seq2SeqConfig, inputs: int, units: int, name: str | None = None):
    """Parameters of one direction of one layer: `kernel: f32[inputs + units, blocks * units]`."""
    columns = CELLS[config.cell].blocks * units
    return Affine(inputs + units, columns, config.init_scale, config.lstm_bias, config.compute_dtype, name=name)


class Stack(nn.Module):
    """`layer_1` .. `layer_L`, each reading the previous one; `make(config, inputs, name=...)` makes one."""

    config: Seq2SeqConfig
    inputs: int
    make: object

    def setup(self):
        c = self.config
        self.layers = tuple(
            self.make(c, self.inputs if k == 0 else c.units, name=f"layer_{k + 1}") for k in range(c.layers)
        )
