"""The interface of all vocabularies, and their file format."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from seq2slim.data.vocabulary.config import VocabularyConfig
from seq2slim.errors import UserError
from seq2slim.files import write_atomically
from seq2slim.special_ids import BOS, EOS, PAD

_FORMAT = "seq2slim vocabulary 1"
_CLASSES: dict[str, type[Vocabulary]] = {}  # by kind
_log = logging.getLogger(__name__).info


class Vocabulary(ABC):
    """Token ids of one language: PAD=0, UNK=1, BOS=2, EOS=3, then the tokens of the text.

    Text never yields PAD, BOS or EOS, whatever it contains: "</s>" in a sentence is an ordinary (possibly unknown)
    token.
    """

    kind: str

    def __init_subclass__(cls, kinds: Iterable[str]):
        _CLASSES.update(dict.fromkeys(kinds, cls))

    @abstractmethod
    def __init__(self, kind: str, payload: bytes):
        """Raises: UserError if `payload` is not a vocabulary of this kind."""

    @classmethod
    @abstractmethod
    def _train(cls, lines: Iterable[str], config: VocabularyConfig) -> Vocabulary: ...

    @staticmethod
    def train(lines: Iterable[str], config: VocabularyConfig, report: Callable[[str], None] = _log) -> Vocabulary:
        """A vocabulary of `config.size` ids, or of fewer if the text supports no more; a pure function.

        Args:
          lines: sentences, read once. Of more than 500,000, SentencePiece sees an evenly spread selection.
          report: called with a line of text if the vocabulary is smaller than requested.
        Raises: UserError if the lines hold no token, or if `size` is too small for one piece per character.
        """
        trained = _CLASSES[config.kind]._train(lines, config)
        if len(trained) < config.size:
            report(f"{config.kind} vocabulary: the text supports {len(trained)} ids, not the {config.size} asked for")
        return trained

    @abstractmethod
    def encode_many(self, lines: Sequence[str]) -> list[list[int]]:
        """The ids of each line, without BOS and EOS."""

    @abstractmethod
    def tokens(self, line: str) -> list[str]:
        """The surface of each token of `line`, unknown ones included: tokens(line)[i] belongs to encode(line)[i]."""

    @abstractmethod
    def token(self, token_id: int) -> str:
        """The surface of one id, "<unk>" for UNK. Raises IndexError outside [0, len)."""

    @abstractmethod
    def join(self, tokens: Iterable[str]) -> str:
        """Text from surface tokens, the inverse of `tokens` up to white space and Unicode normalisation."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _payload(self) -> bytes: ...

    def encode(self, line: str) -> list[int]:
        """The ids of `line`, without BOS and EOS."""
        return self.encode_many([line])[0]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`: stops at EOS, drops PAD and BOS, writes "<unk>" for UNK."""
        before_end = itertools.takewhile(lambda token_id: token_id != EOS, map(int, ids))
        return self.join(self.token(token_id) for token_id in before_end if token_id not in (PAD, BOS))

    @property
    def sha256(self) -> str:
        """Identity of the vocabulary: vocabularies of equal hashes tokenise equally."""
        return hashlib.sha256(f"{self.kind}\n".encode() + self._payload()).hexdigest()

    def save(self, path: Path) -> None:
        """Writes one file, atomically: a header line of JSON, then the SentencePiece model or the words."""
        header = {"format": _FORMAT, "kind": self.kind, "size": len(self), "sha256": self.sha256}
        write_atomically(Path(path), json.dumps(header).encode() + b"\n" + self._payload())

    @staticmethod
    def load(path: Path) -> Vocabulary:
        """The vocabulary that `save` wrote. Raises: UserError if it is not a vocabulary file, or damaged."""
        return Vocabulary.from_bytes(Path(path).read_bytes(), str(path))

    @staticmethod
    def from_bytes(content: bytes, path: str) -> Vocabulary:
        """The vocabulary from the content of such a file; `path` names it in errors."""
        head, _, payload = content.partition(b"\n")
        try:
            header = json.loads(head)
            known, kind, digest = header["format"] == _FORMAT, header["kind"], header["sha256"]
        except (ValueError, TypeError, KeyError, RecursionError):
            known = False
        if not known:
            raise UserError(f"{path} is no vocabulary file (its first line is not that of {_FORMAT!r})")
        if not isinstance(kind, str) or kind not in _CLASSES:
            raise UserError(f"{path} holds a vocabulary of kind {kind!r:.40}; there are {', '.join(_CLASSES)}")
        if hashlib.sha256(f"{kind}\n".encode() + payload).hexdigest() != digest:
            raise UserError(
                f"{path} is damaged (its content does not have the SHA-256 in its first line): train it again"
            )
        try:
            return _CLASSES[kind](kind, payload)
        except ValueError as error:
            raise UserError(f"{path} holds no vocabulary: {error}") from None


def in_bounds(token_id: int, vocabulary: Vocabulary) -> int:
    """The id itself. Raises: IndexError outside [0, len)."""
    if not 0 <= token_id < len(vocabulary):
        raise IndexError(f"token id {token_id} is outside the vocabulary's [0, {len(vocabulary)})")
    return token_id
