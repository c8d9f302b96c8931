"""Subword pieces by SentencePiece (Kudo & Richardson 2018)."""

from __future__ import annotations

import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import sentencepiece

from seq2slim.data.vocabulary.base import Vocabulary, in_bounds
from seq2slim.data.vocabulary.config import SPECIAL, VocabularyConfig
from seq2slim.errors import UserError
from seq2slim.special_ids import BOS, EOS, PAD, UNK

_SPACE = "\u2581"  # how SentencePiece writes a space inside a piece
_TRAINING_LINES = 500_000  # more change the pieces little, and cost SentencePiece 2 GB and a minute per million


class PieceVocabulary(Vocabulary, kinds=("unigram", "bpe")):
    """SentencePiece subwords. Text passes Unicode NFKC normalisation; runs of white space become one space."""

    def __init__(self, kind: str, payload: bytes):
        self.kind = kind
        self._model = payload
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=payload)
        except RuntimeError as error:
            raise UserError(f"SentencePiece cannot read its model ({error})") from None
        self._pieces = [self._processor.id_to_piece(index) for index in range(len(self._processor))]
        if tuple(self._pieces[: len(SPECIAL)]) != SPECIAL:
            raise UserError(f"the first pieces of its model are not {', '.join(SPECIAL)}")

    @classmethod
    def _train(cls, lines: Iterable[str], config: VocabularyConfig) -> PieceVocabulary:
        sentences = [line for line in thin(lines, _TRAINING_LINES) if line.strip()]
        if not sentences:
            raise UserError("cannot train a vocabulary: the text has no words")
        model = io.BytesIO()
        pad, unk, bos, eos = SPECIAL
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(sentences),
                model_writer=model,
                model_type=config.kind,
                vocab_size=config.size,
                hard_vocab_limit=False,
                character_coverage=_coverage(sentences, config.size),
                max_sentence_length=1 << 20,
                num_threads=4,  # fixed: the sums of the unigram EM depend on it
                pad_id=PAD,
                unk_id=UNK,
                bos_id=BOS,
                eos_id=EOS,
                pad_piece=pad,
                unk_piece=unk,
                bos_piece=bos,
                eos_piece=eos,
                minloglevel=2,
            )
        except RuntimeError as error:
            needed = re.search(r"smaller than required_chars\. \d+ vs (\d+)", str(error))
            if needed:
                raise UserError(
                    f"size={config.size} is too small for this text: its characters alone need {needed[1]} ids"
                ) from None
            raise UserError(
                f"SentencePiece cannot train a {config.kind} vocabulary of size {config.size}: {error}"
            ) from None
        return cls(config.kind, model.getvalue())

    def encode_many(self, lines: Sequence[str]) -> list[list[int]]:
        return self._processor.encode(list(lines), out_type=int)

    def tokens(self, line: str) -> list[str]:
        return self._processor.encode(line, out_type=str)

    def token(self, token_id: int) -> str:
        return self._pieces[in_bounds(token_id, self)]

    def join(self, tokens: Iterable[str]) -> str:
        return "".join(tokens).replace(_SPACE, " ").strip()

    def __len__(self) -> int:
        return len(self._pieces)

    def _payload(self) -> bytes:
        return self._model


def thin(lines: Iterable[str], most: int) -> list[str]:
    """At most `most` lines, evenly spread: every stride-th one, with the smallest sufficient power of two."""
    kept: list[str] = []
    stride = 1
    for index, line in enumerate(lines):
        if index % stride:
            continue
        if len(kept) == most:
            kept = kept[::2]
            stride *= 2
            if index % stride:
                continue
        kept.append(line)
    return kept


def _coverage(sentences: Iterable[str], size: int) -> float:
    """The share of the text in characters that get an id: all characters, but at most half of the ids (or 256).

    So every letter of an alphabet gets an id, while a script of thousands of characters does not use up all ids.
    """
    counts = Counter(itertools.chain.from_iterable(sentences))
    covered = sum(count for _, count in counts.most_common(max(size // 2, 256))) / counts.total()
    return max(covered, 0.98)  # SentencePiece accepts no less
