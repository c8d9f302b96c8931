"""The rules of a beam search: which tokens are special, and what the score of a hypothesis is."""

from dataclasses import dataclass
from typing import Literal, get_args

from seq2slim.decoding.length_penalty import LengthPenalty

Accumulate = Literal["sum", "last"]


@dataclass(frozen=True)
class BeamRules:
    """Options of a search that one step needs to know.

    Attributes:
      pad: id that fills a result after its end, and a list of candidates. Never emitted.
      bos: id fed at the first step. Never emitted.
      eos: id that ends a hypothesis; it may equal `bos` or `pad`. None: outputs have a fixed length and no EOS.
      length_penalty: how length enters the ranking score.
      normalise: whether a token's score is its log-probability (log-softmax of the logits), or the logit unchanged.
        Under a constraint the softmax is over the tokens that the constraint allows, before limits on the length.
      accumulate: the score of a hypothesis is the "sum" over its tokens, or that of its "last" token, given the prefix
        (Wiseman & Rush 2016, sec. 3.1, where the last raw score stands for the whole prefix).
      never: further ids that are never emitted, e.g. EOS in an output of fixed length.
    """

    pad: int
    bos: int
    eos: int | None
    length_penalty: LengthPenalty = LengthPenalty()
    normalise: bool = True
    accumulate: Accumulate = "sum"
    never: tuple[int, ...] = ()

    def __post_init__(self):
        if self.accumulate not in get_args(Accumulate):
            raise ValueError(f"accumulate must be one of {get_args(Accumulate)}, got {self.accumulate!r}")
        if not self.scores_fall and self.length_penalty.kind != "none":
            raise ValueError("a length penalty divides sums of log-probabilities; raw or last scores have none")
        if self.eos is not None and self.eos in self.never:
            raise ValueError(f"eos={self.eos} is among the ids that are never emitted: no hypothesis could end")

    @property
    def scores_fall(self) -> bool:
        """Whether a hypothesis can only lose score as it grows, which the early stop of a search assumes."""
        return self.normalise and self.accumulate == "sum"

    @property
    def closed(self) -> tuple[int, ...]:
        """Ids that no hypothesis contains; EOS, which ends one, is not among them."""
        return tuple(sorted({self.pad, self.bos, *self.never} - {self.eos}))
