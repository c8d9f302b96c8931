"""Vocabularies: text to token ids and back, as subword pieces (SentencePiece) or as whole words."""

from __future__ import annotations

import difflib
import hashlib
import io
import itertools
import json
import logging
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import sentencepiece

from seq2slim.files import write_atomically

PAD, UNK, BOS, EOS = 0, 1, 2, 3
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
KINDS = ("unigram", "bpe", "words")
_FORMAT = "seq2slim vocabulary 1"
_SPACE = "\u2581"  # how SentencePiece writes a space inside a piece
_TRAINING_LINES = 500_000  # more change the pieces little and cost SentencePiece 2 GB and a minute a million
_log = logging.getLogger(__name__).info


@dataclass(frozen=True)
class VocabularyConfig:
    """How text becomes tokens.

    kind: "unigram" or "bpe" (SentencePiece subwords), or "words" (the most frequent whitespace tokens).
    size: number of ids, the four special ones included. A text that supports fewer gives a smaller vocabulary.
    joint: one vocabulary for source and target, trained on both, instead of one a side.
    source_size: size of the source's vocabulary where it is another; 0: as `size`. Words of the source cost no
        operation in training or decoding, only embeddings.
    """

    kind: str = "unigram"
    size: int = 8000
    joint: bool = False
    source_size: int = 0

    def __post_init__(self):
        if self.kind not in KINDS:
            near = difflib.get_close_matches(str(self.kind), KINDS, n=1, cutoff=0.0)[0]
            raise ValueError(
                f"unknown kind of vocabulary {self.kind!r}: did you mean {near!r}? There are {', '.join(KINDS)}"
            )
        for name, size in (("size", self.size), ("source_size", self.source_size or self.size)):
            if size <= len(SPECIAL):
                raise ValueError(f"{name}={size}: a vocabulary needs more than its {len(SPECIAL)} special ids")
        if self.joint and self.source_size:
            raise ValueError(f"source_size={self.source_size}: a joint vocabulary has one size; set it to 0")

    @property
    def source(self) -> VocabularyConfig:
        """The source's own."""
        return replace(self, size=self.source_size or self.size, source_size=0)


class Vocabulary(ABC):
    """Token ids of one language: PAD=0, UNK=1, BOS=2, EOS=3, then the tokens of the text.

    Text never yields PAD, BOS or EOS, whatever it contains: "</s>" in a sentence is an ordinary (maybe unknown)
    token.
    """

    kind: str

    @staticmethod
    def train(lines: Iterable[str], config: VocabularyConfig, report: Callable[[str], None] = _log) -> Vocabulary:
        """A vocabulary of `config.size` ids, or of fewer where the text supports no more; pure in its arguments.

        Args:
          lines: sentences, read once. SentencePiece sees an even thinning of them when they are more than 500,000.
          report: called with a line of text when the vocabulary is smaller than asked.
        Raises: ValueError if the lines hold no token, or if `size` is too small for a piece for each character.
        """
        trained = (_WordVocabulary if config.kind == "words" else _PieceVocabulary)._train(lines, config)
        if len(trained) < config.size:
            report(f"{config.kind} vocabulary: the text supports {len(trained)} ids, not the {config.size} asked for")
        return trained

    @abstractmethod
    def encode_many(self, lines: Sequence[str]) -> list[list[int]]:
        """The ids of each line, without BOS and EOS."""

    @abstractmethod
    def tokens(self, line: str) -> list[str]:
        """The surface of each token of `line`, also of the unknown ones: tokens(line)[i] belongs to encode(line)[i]."""

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
        """Identity of the vocabulary: equal hashes tokenise equally."""
        return hashlib.sha256(f"{self.kind}\n".encode() + self._payload()).hexdigest()

    def save(self, path: Path) -> None:
        """Writes one file: a line of JSON that says what it is, then the SentencePiece model or the words. Atomic."""
        header = {"format": _FORMAT, "kind": self.kind, "size": len(self), "sha256": self.sha256}
        write_atomically(Path(path), json.dumps(header).encode() + b"\n" + self._payload())

    @staticmethod
    def load(path: Path) -> Vocabulary:
        """The vocabulary that `save` wrote. Raises ValueError if the file is another one, cut short or damaged."""
        return Vocabulary.from_bytes(Path(path).read_bytes(), str(path))

    @staticmethod
    def from_bytes(content: bytes, path: str) -> Vocabulary:
        """The same from the content of such a file; `path` names it in errors."""
        head, _, payload = content.partition(b"\n")
        try:
            header = json.loads(head)
            known = header["format"] == _FORMAT
        except (ValueError, TypeError, KeyError):
            known = False
        if not known:
            raise ValueError(f"{path} is no vocabulary file (its first line is not that of {_FORMAT!r})")
        if hashlib.sha256(f"{header['kind']}\n".encode() + payload).hexdigest() != header["sha256"]:
            raise ValueError(
                f"{path} is damaged (its content does not have the SHA-256 in its first line): train it again"
            )
        return (_WordVocabulary if header["kind"] == "words" else _PieceVocabulary)(header["kind"], payload)


class _PieceVocabulary(Vocabulary):
    """SentencePiece subwords. Text passes Unicode NFKC normalisation; runs of white space become one space."""

    def __init__(self, kind: str, payload: bytes):
        self.kind = kind
        self._model = payload
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=payload)
        self._pieces = [self._processor.id_to_piece(index) for index in range(len(self._processor))]

    @classmethod
    def _train(cls, lines: Iterable[str], config: VocabularyConfig) -> _PieceVocabulary:
        sentences = [line for line in thin(lines, _TRAINING_LINES) if line.strip()]
        if not sentences:
            raise ValueError("cannot train a vocabulary: the text has no words")
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
                num_threads=4,  # fixed: the sums of the unigram EM depend on how many there are
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
                raise ValueError(
                    f"size={config.size} is too small for this text: its characters alone need {needed[1]} ids"
                ) from None
            raise ValueError(
                f"SentencePiece cannot train a {config.kind} vocabulary of size {config.size}: {error}"
            ) from None
        return cls(config.kind, model.getvalue())

    def encode_many(self, lines: Sequence[str]) -> list[list[int]]:
        return self._processor.encode(list(lines), out_type=int)

    def tokens(self, line: str) -> list[str]:
        return self._processor.encode(line, out_type=str)

    def token(self, token_id: int) -> str:
        return self._pieces[_in_bounds(token_id, self)]

    def join(self, tokens: Iterable[str]) -> str:
        return "".join(tokens).replace(_SPACE, " ").strip()

    def __len__(self) -> int:
        return len(self._pieces)

    def _payload(self) -> bytes:
        return self._model


class _WordVocabulary(Vocabulary):
    """The most frequent whitespace tokens; of equally frequent ones those seen first."""

    kind = "words"

    def __init__(self, kind: str, payload: bytes):
        self._words = [*SPECIAL, *payload.decode("utf-8").split("\n")]
        self._ids = {word: index for index, word in enumerate(self._words) if index >= len(SPECIAL)}

    @classmethod
    def _train(cls, lines: Iterable[str], config: VocabularyConfig) -> _WordVocabulary:
        counts: Counter[str] = Counter()
        for line in lines:
            counts.update(line.split())
        if not counts:
            raise ValueError("cannot train a vocabulary: the text has no words")
        # most_common sorts stably and a Counter keeps the order of first occurrence.
        frequent = counts.most_common(config.size - len(SPECIAL))
        return cls("words", "\n".join(word for word, _ in frequent).encode("utf-8"))

    def encode_many(self, lines: Sequence[str]) -> list[list[int]]:
        ids = self._ids
        return [[ids.get(word, UNK) for word in line.split()] for line in lines]

    def tokens(self, line: str) -> list[str]:
        return line.split()

    def token(self, token_id: int) -> str:
        return self._words[_in_bounds(token_id, self)]

    def join(self, tokens: Iterable[str]) -> str:
        return " ".join(tokens)

    def __len__(self) -> int:
        return len(self._words)

    def _payload(self) -> bytes:
        return "\n".join(self._words[len(SPECIAL) :]).encode("utf-8")


def train_vocabularies(
    source: Iterable[str], target: Iterable[str], config: VocabularyConfig, report: Callable[[str], None] = _log
) -> tuple[Vocabulary, Vocabulary]:
    """The vocabularies of source and target; the same object twice when `config.joint`."""
    if config.joint:
        both = Vocabulary.train(itertools.chain(source, target), config, report)
        return both, both
    return Vocabulary.train(source, config.source, report), Vocabulary.train(target, config, report)


def thin(lines: Iterable[str], most: int) -> list[str]:
    """At most `most` lines, evenly spread: each stride-th one, for the smallest power of two that is enough."""
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
    """The share of the text in the characters that get an id: all, but at most half of the ids (or 256) go to them.

    So every sign of an alphabet has its id, while the rare ones of a script with thousands do not take all there are.
    """
    counts = Counter(itertools.chain.from_iterable(sentences))
    covered = sum(count for _, count in counts.most_common(max(size // 2, 256))) / counts.total()
    return max(covered, 0.98)  # SentencePiece takes no less


def _in_bounds(token_id: int, vocabulary: Vocabulary) -> int:
    if not 0 <= token_id < len(vocabulary):
        raise IndexError(f"token id {token_id} is outside the vocabulary's [0, {len(vocabulary)})")
    return token_id
