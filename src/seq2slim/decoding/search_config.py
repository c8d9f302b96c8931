"""Configuration of a search."""

from dataclasses import dataclass
from typing import Literal

from seq2slim.decoding.length_limits import LIMITS
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.errors import UserError


@dataclass(frozen=True)
class SearchConfig:
    """Options of beam search.

    Attributes:
      beam: K, hypotheses kept per sentence; 1 is greedy.
      length_penalty: how length enters the ranking score; the papers use none.
      limits: shortest and longest translation: the paper's 0.5 to 1.5 times the source, or at least source + 10 (wide).
      replace_unknown: copy the attended source word in place of <unk>.
      batch_size: sentences searched together.
    """

    beam: int = 5
    length_penalty: LengthPenalty = LengthPenalty()
    limits: Literal["paper", "wide"] = "wide"
    replace_unknown: bool = False
    batch_size: int = 32

    def __post_init__(self):
        for name in ("beam", "batch_size"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.limits not in LIMITS:
            raise UserError(f"limits must be one of {sorted(LIMITS)}, got {self.limits!r}")
