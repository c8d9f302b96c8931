"""The models: LSTM or GRU encoder-decoders, with or without attention."""

from seq2slim.models.config import Seq2SeqConfig
from seq2slim.models.presets import PRESETS, ModelOptions, weight_classes
from seq2slim.models.seq2seq import DecoderCarry, Memory, Seq2Seq, init_params, param_shapes

__all__ = [
    "PRESETS",
    "DecoderCarry",
    "Memory",
    "ModelOptions",
    "Seq2Seq",
    "Seq2SeqConfig",
    "init_params",
    "param_shapes",
    "weight_classes",
]
