"""Parallel text prepared for a model: vocabularies, and token ids on disk."""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from seq2slim.data import corpora
from seq2slim.data.corpora import Corpus, CorpusConfig
from seq2slim.data.tokenising import tokenise
from seq2slim.data.vocabulary import VocabularyConfig, train_vocabularies
from seq2slim.errors import UserError
from seq2slim.inference.text_files import SOURCE_VOCABULARY, TARGET_VOCABULARY, TOKENISED
from seq2slim.runs.runner import runs_folder
from seq2slim.runs.stage import Stage, run_name

_loaded: dict[tuple[CorpusConfig, Path], tuple[list, Corpus]] = {}


def load_corpus(config: CorpusConfig) -> Corpus:
    """The corpus, prepared once in the cache of the runs folder; read again if one of its files has changed."""
    key = config, runs_folder() / "cache"
    stamps, corpus = _loaded.get(key, (None, None))
    while corpus is None or _stamps(corpus) != stamps:  # also an edit while it was read
        stamps = corpus and _stamps(corpus)
        corpus = corpora.load(*key, report=print)
    _loaded[key] = stamps, corpus
    return corpus


def _stamps(corpus: Corpus) -> list[tuple[int, ...] | None]:
    """Facts about the files that change when one is written to."""
    paths = [path for split in corpus.splits.values() for path in split]
    found = [path.stat() if path.exists() else None for path in paths]
    return [stat and (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino) for stat in found]


@dataclass(frozen=True)
class Text(Stage):
    """A corpus in token ids.

    Attributes:
      corpus: the text; its content enters the identity, not its name or path.
      vocabulary: how text becomes tokens.
      max_length: longer training pairs (tokens on either side) are dropped, and counted.
      content: SHA-256 of the corpus if it is known already, as for a stage rebuilt from its record; the text is then
        not read, and may be missing.
    """

    kind: ClassVar[str] = "text"
    corpus: CorpusConfig = field(default=CorpusConfig(), metadata={"identity": False})
    vocabulary: VocabularyConfig = VocabularyConfig()
    max_length: int = 50
    content: str | None = field(default=None, metadata={"identity": False})

    @functools.cached_property
    def _content(self) -> str:
        return self.content or load_corpus(self.corpus).sha256

    def content_hash(self) -> str:
        """SHA-256 of the corpus, taken at the first call: the identity of an object stays, even if a file changes."""
        return self._content

    def loaded(self) -> Corpus:
        """The corpus. Raises: UserError if it has changed since the identity was computed."""
        if (corpus := load_corpus(self.corpus)).sha256 != self.content_hash():
            raise UserError(
                f"the corpus {self.corpus.name!r} has changed since this command started ({run_name(self)}): "
                "restore it, or run the command again to use the new one"
            )
        return corpus

    def lines(self, split: str, side: Literal[0, 1]) -> list[str]:
        """The lines of one side (0 source, 1 target) of a split. Raises: UserError as `loaded`."""
        lines = list(corpora.read_lines(self.loaded().splits[split][side]))
        self.loaded()  # raises if it was edited while it was read
        return lines

    def describe(self) -> str:
        v = self.vocabulary
        sizes = f"{v.source_size:,} | {v.size:,}" if v.source_size else f"{v.size:,}"
        return f"{self.corpus.name}, {sizes} {v.kind}{' joint' if v.joint else ''}, at most {self.max_length} tokens"

    def run(self, run_dir: Path, context) -> dict:
        corpus = self.loaded()
        sides = [corpora.read_lines(path) for path in corpus.splits["train"]]
        source, target = train_vocabularies(*sides, self.vocabulary, context.say)
        tokenised = tokenise(corpus, source, target, run_dir / TOKENISED, self.max_length)
        self.loaded()
        source.save(run_dir / SOURCE_VOCABULARY)
        target.save(run_dir / TARGET_VOCABULARY)
        context.say(tokenised.dropped)
        return {split: dict(part.counts) for split, part in tokenised.splits.items()}
