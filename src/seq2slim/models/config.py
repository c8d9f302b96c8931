"""Configuration of a sequence-to-sequence model."""

from dataclasses import dataclass, fields
from typing import Literal, get_args, get_origin

from seq2slim.errors import UserError


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Encoder-decoder of Luong et al. 2015; the defaults follow the paper.

    Attributes:
      source_vocabulary, target_vocabulary: number of words V of each side.
      layers: L, of the encoder and of the decoder.
      units: H, cells per layer; a bidirectional encoder has H/2 in each direction.
      embedding: E; 0 means H, as in the papers.
      attention: score that compares h_t with the encoder states, or none.
      input_feeding: the first decoder layer also reads h~ of the previous step.
      bidirectional: the encoder reads in both directions (the paper's reads the reversed source).
      lstm_bias, output_bias: add biases to the recurrent layers (LSTM or GRU) and to the softmax; never pruned.
      dropout: rate on the non-recurrent input of every recurrent layer (Zaremba et al. 2014).
      output_dropout: rate on h~ before the softmax; the paper has none.
      init_scale: parameters start uniform in [-init_scale, init_scale].
      cell: of all layers: LSTM (Zaremba et al. 2014), or GRU (Cho et al. 2014, in the form of cuDNN), which has three
        blocks of columns instead of four.
      attention_span: words that are scored: the whole sentence, or those near a position that the decoder predicts
        (local-p; Luong et al. 2015, sec. 3.2; with the dot or the general score).
      window: D of local-p: words at most D positions away are read; 10 in the paper.
      compute_dtype: of products and activations; parameters, cell states, softmaxes and the loss are always float32.
    Raises: UserError naming the field, the value received and what would be right.
    """

    source_vocabulary: int
    target_vocabulary: int
    layers: int = 4
    units: int = 1000
    embedding: int = 0
    attention: Literal["dot", "general", "concat", "none"] = "dot"
    input_feeding: bool = False
    bidirectional: bool = False
    lstm_bias: bool = False
    output_bias: bool = False
    dropout: float = 0.2
    output_dropout: float = 0.0
    init_scale: float = 0.1
    cell: Literal["lstm", "gru"] = "lstm"
    attention_span: Literal["global", "local_p"] = "global"
    window: int = 10
    compute_dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self):
        for name in ("source_vocabulary", "target_vocabulary", "layers", "units", "window"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, got {getattr(self, name)}")
        for option in fields(self):
            value = getattr(self, option.name)
            if get_origin(option.type) is Literal and value not in (choices := get_args(option.type)):
                raise UserError(f"{option.name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
        if self.embedding < 0:
            raise UserError(f"embedding must be 0 (as wide as units) or positive, got {self.embedding}")
        for name in ("dropout", "output_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} is a rate in [0, 1), got {getattr(self, name)}")
        if self.init_scale < 0:
            raise UserError(f"init_scale must not be negative, got {self.init_scale}")
        if self.bidirectional and self.units % 2:
            raise UserError(f"a bidirectional encoder halves the units: they must be even, got {self.units}")
        if self.input_feeding and self.attention == "none":
            raise UserError("input_feeding feeds the attentional vector: it needs an attention, got 'none'")
        if self.attention_span == "local_p" and self.attention not in ("dot", "general"):
            raise UserError(f"attention_span 'local_p' needs attention 'dot' or 'general', got {self.attention!r}")
        if self.attention_span == "global" and self.window != 10:
            raise UserError(f"window={self.window} is of attention_span 'local_p'; a global attention has none")

    @property
    def embedding_size(self) -> int:
        """E."""
        return self.embedding or self.units
