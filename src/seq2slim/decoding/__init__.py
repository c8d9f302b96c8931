"""Beam search over any model with a step function; length penalties and limits; unknown-word replacement."""

from seq2slim.decoding.beam import beam_search
from seq2slim.decoding.constraints import LIMITS, LengthLimits, paper_limits, wide_limits
from seq2slim.decoding.hypotheses import BeamResult, n_best
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.decoding.unknown_words import replace_unknown_words, source_index

__all__ = [
    "LIMITS",
    "BeamResult",
    "LengthLimits",
    "LengthPenalty",
    "SearchConfig",
    "beam_search",
    "n_best",
    "paper_limits",
    "replace_unknown_words",
    "source_index",
    "wide_limits",
]
