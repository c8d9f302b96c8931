"""The four special tokens, and the configuration of a vocabulary."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from seq2slim.errors import UserError

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
KINDS = ("unigram", "bpe", "words")


@dataclass(frozen=True)
class VocabularyConfig:
    """How text becomes tokens.

    kind: "unigram" or "bpe" (SentencePiece subwords), or "words" (the most frequent whitespace tokens).
    size: number of ids, including the four special ones; smaller if the text supports fewer.
    joint: one vocabulary for source and target, trained on both, instead of one per side.
    source_size: size of the source vocabulary if it differs; 0: as `size`. Source words cost no operations in training
        or decoding, only embeddings.
    """

    kind: str = "unigram"
    size: int = 8000
    joint: bool = False
    source_size: int = 0

    def __post_init__(self):
        if self.kind not in KINDS:
            near = difflib.get_close_matches(str(self.kind), KINDS, n=1, cutoff=0.0)[0]
            raise UserError(
                f"unknown kind of vocabulary {self.kind!r}: did you mean {near!r}? There are {', '.join(KINDS)}"
            )
        for name, size in (("size", self.size), ("source_size", self.source_size or self.size)):
            if size <= len(SPECIAL):
                raise UserError(f"{name}={size}: a vocabulary needs more than its {len(SPECIAL)} special ids")
        if self.joint and self.source_size:
            raise UserError(f"source_size={self.source_size}: a joint vocabulary has one size; set it to 0")

    @property
    def source(self) -> VocabularyConfig:
        """Configuration of the source vocabulary."""
        return replace(self, size=self.source_size or self.size, source_size=0)
