"""Vocabularies of the most frequent whole words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from seq2slim.data.vocabulary.base import Vocabulary, in_bounds
from seq2slim.data.vocabulary.config import SPECIAL, VocabularyConfig
from seq2slim.errors import UserError
from seq2slim.special_ids import UNK


class WordVocabulary(Vocabulary, kinds=("words",)):
    """The most frequent whitespace tokens; ties go to those seen first."""

    kind = "words"

    def __init__(self, kind: str, payload: bytes):
        self._words = [*SPECIAL, *payload.decode("utf-8").split("\n")]
        self._ids = {word: index for index, word in enumerate(self._words) if index >= len(SPECIAL)}

    @classmethod
    def _train(cls, lines: Iterable[str], config: VocabularyConfig) -> WordVocabulary:
        counts: Counter[str] = Counter()
        for line in lines:
            counts.update(line.split())
        if not counts:
            raise UserError("cannot train a vocabulary: the text has no words")
        # most_common sorts stably and a Counter keeps the order of first occurrence.
        frequent = counts.most_common(config.size - len(SPECIAL))
        return cls("words", "\n".join(word for word, _ in frequent).encode("utf-8"))

    def encode_many(self, lines: Sequence[str]) -> list[list[int]]:
        ids = self._ids
        return [[ids.get(word, UNK) for word in line.split()] for line in lines]

    def tokens(self, line: str) -> list[str]:
        return line.split()

    def token(self, token_id: int) -> str:
        return self._words[in_bounds(token_id, self)]

    def join(self, tokens: Iterable[str]) -> str:
        return " ".join(tokens)

    def __len__(self) -> int:
        return len(self._words)

    def _payload(self) -> bytes:
        return "\n".join(self._words[len(SPECIAL) :]).encode("utf-8")
