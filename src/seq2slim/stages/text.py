"""Parallel text prepared for a model: vocabularies, and token ids on disk."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

from seq2slim.data import corpora
from seq2slim.data.corpora import Corpus, CorpusConfig
from seq2slim.data.corpora.lines import write_pairs
from seq2slim.data.tokenising import tokenise
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.errors import UserError
from seq2slim.inference.text_files import SOURCE_VOCABULARY, TARGET_VOCABULARY, TOKENISED
from seq2slim.runs.runner import runs_folder
from seq2slim.runs.stage import Stage, identity, run_name
from seq2slim.tasks import DEFAULT, TaskName, task_named

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
      task: what is learnt from the corpus, a name in `tasks.TASKS`.
    """

    kind: ClassVar[str] = "text"
    corpus: CorpusConfig = field(default=CorpusConfig(), metadata={"identity": False})
    vocabulary: VocabularyConfig = VocabularyConfig()
    max_length: int = 50
    content: str | None = field(default=None, metadata={"identity": False})
    task: TaskName = DEFAULT

    def __post_init__(self):
        task_named(self.task)

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
        """One side (0 source, 1 target) of a split, as the task makes it. Raises: UserError as `loaded`."""
        corpus = self.loaded()
        if task_named(self.task).rewrites:
            lines = [pair[side] for pair in self._pairs(corpus, split)]
        else:
            lines = list(corpora.read_lines(corpus.splits[split][side]))
        self.loaded()  # raises if it was edited while it was read
        return lines

    def prepared(self, context) -> Corpus:
        """The pairs of the task as a corpus: `loaded` itself, or a copy in scratch if the task rewrites its lines.

        Args: context: of the running stage. Raises: UserError as `loaded`.
        """
        corpus = self.loaded()
        if not task_named(self.task).rewrites:
            return corpus
        folder = context.scratch()
        splits = {split: (folder / f"{split}.source", folder / f"{split}.target") for split in corpus.splits}
        for split, paths in splits.items():
            write_pairs(*paths, self._pairs(corpus, split))
        return replace(corpus, splits=splits, sha256=identity(self))

    def _pairs(self, corpus: Corpus, split: str) -> Iterator[tuple[str, str]]:
        """The pairs that the task makes of a split. Raises: ValueError for one that is not two lines."""
        sides = map(corpora.read_lines, corpus.splits[split])
        for pair in task_named(self.task).pairs(*sides, split):
            if any("\n" in text or text.endswith("\r") for text in pair):
                raise ValueError(f"the task {self.task!r} made {pair} of {split}: each must be one line, without end")
            yield pair

    def describe(self) -> str:
        v = self.vocabulary
        sizes = f"{v.source_size:,} | {v.size:,}" if v.source_size else f"{v.size:,}"
        what = self.corpus.name if self.task == DEFAULT else f"{self.task} of {self.corpus.name}"
        return f"{what}, {sizes} {v.kind}{' joint' if v.joint else ''}, at most {self.max_length} tokens"

    def run(self, run_dir: Path, context) -> dict:
        corpus = self.prepared(context)
        sides = [corpora.read_lines(path) for path in corpus.splits["train"]]
        source, target = task_named(self.task).vocabularies(*sides, self.vocabulary, context.say)
        tokenised = tokenise(corpus, source, target, run_dir / TOKENISED, self.max_length)
        self.loaded()
        source.save(run_dir / SOURCE_VOCABULARY)
        target.save(run_dir / TARGET_VOCABULARY)
        context.say(tokenised.dropped)
        return {split: dict(part.counts) for split, part in tokenised.splits.items()}
