"""Beam search over any model with a step function; constraints, length penalties and limits; unknown-word replacement.

`model_search.py`, the join with our models, is not imported here: the others need no model.
"""

from seq2slim.decoding.beam import beam_search, beam_step, start_beam
from seq2slim.decoding.beam_rules import BeamRules
from seq2slim.decoding.constraints import Constraint, as_mask, multiset, without
from seq2slim.decoding.hypotheses import BeamResult, n_best, read_live
from seq2slim.decoding.length_limits import LIMITS, LengthLimits, paper_limits, wide_limits
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.decoding.successors import BeamState
from seq2slim.decoding.unknown_words import replace_unknown_words, source_index

__all__ = [
    "LIMITS",
    "BeamResult",
    "BeamRules",
    "BeamState",
    "Constraint",
    "LengthLimits",
    "LengthPenalty",
    "SearchConfig",
    "as_mask",
    "beam_search",
    "beam_step",
    "multiset",
    "n_best",
    "paper_limits",
    "read_live",
    "replace_unknown_words",
    "source_index",
    "start_beam",
    "wide_limits",
    "without",
]
