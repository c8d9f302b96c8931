"""Vocabularies: text to token ids and back, as subword pieces (SentencePiece) or as whole words."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable

from seq2slim.data.vocabulary.base import Vocabulary
from seq2slim.data.vocabulary.config import KINDS, SPECIAL, VocabularyConfig
from seq2slim.data.vocabulary.pieces import PieceVocabulary
from seq2slim.data.vocabulary.words import WordVocabulary

__all__ = [
    "KINDS",
    "SPECIAL",
    "PieceVocabulary",
    "Vocabulary",
    "VocabularyConfig",
    "WordVocabulary",
    "train_vocabularies",
]

_log = logging.getLogger(__name__).info


def train_vocabularies(
    source: Iterable[str], target: Iterable[str], config: VocabularyConfig, report: Callable[[str], None] = _log
) -> tuple[Vocabulary, Vocabulary]:
    """The vocabularies of source and target; the same object twice when `config.joint`."""
    if config.joint:
        both = Vocabulary.train(itertools.chain(source, target), config, report)
        return both, both
    return Vocabulary.train(source, config.source, report), Vocabulary.train(target, config, report)
