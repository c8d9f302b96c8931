"""What a sequence-to-sequence model is made of."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Encoder-decoder of Luong et al. 2015; the defaults follow the paper.

    Attributes:
      source_vocabulary, target_vocabulary: number of words V of each side.
      layers: L, of the encoder and of the decoder.
      units: H, cells a layer; a bidirectional encoder has H/2 in each direction.
      embedding: E; 0 means H, as in the papers.
      attention: score of the global attention, or none.
      input_feeding: the first decoder layer also reads h~ of the step before.
      bidirectional: encoder reads both ways (the paper's reads one way, the source reversed).
      lstm_bias, output_bias: add biases, which are never pruned.
      dropout: rate on the non-recurrent input of every LSTM layer (Zaremba et al. 2014).
      output_dropout: rate on h~ before the softmax; the paper has none.
      init_scale: parameters start uniform in [-init_scale, init_scale].
    Raises: ValueError naming the field, the value received and what would be right.
    """

    source_vocabulary: int
    target_vocabulary: int
    layers: int = 4
    units: int = 1000
    embedding: int = 0
    attention: Literal["dot", "general", "none"] = "dot"
    input_feeding: bool = False
    bidirectional: bool = False
    lstm_bias: bool = False
    output_bias: bool = False
    dropout: float = 0.2
    output_dropout: float = 0.0
    init_scale: float = 0.1

    def __post_init__(self):
        for name in ("source_vocabulary", "target_vocabulary", "layers", "units"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.attention not in ("dot", "general", "none"):
            raise ValueError(f"attention must be 'dot', 'general' or 'none', got {self.attention!r}")
        if self.embedding < 0:
            raise ValueError(f"embedding must be 0 (as wide as units) or positive, got {self.embedding}")
        for name in ("dropout", "output_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is a rate in [0, 1), got {getattr(self, name)}")
        if self.init_scale < 0:
            raise ValueError(f"init_scale must not be negative, got {self.init_scale}")
        if self.bidirectional and self.units % 2:
            raise ValueError(f"a bidirectional encoder halves the units: they must be even, got {self.units}")
        if self.input_feeding and self.attention == "none":
            raise ValueError("input_feeding feeds the attentional vector: it needs attention 'dot' or 'general'")

    @property
    def embedding_size(self) -> int:
        """E."""
        return self.embedding or self.units
