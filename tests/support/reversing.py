"""A task of its own pairs, constraint and scores: the words of a line in reverse, with a search that only reorders."""

from pathlib import Path

import numpy as np

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.constraints import multiset
from seq2slim.errors import UserError
from seq2slim.stages.text import Text
from seq2slim.tasks import Scores, Task


class Reversing(Task):
    """Sources are lower-cased, targets are made from them; the target side of the corpus is not read."""

    name = "reversing"
    metrics = {"exact_match": True, "misplaced": False}
    digits = {"exact_match": 1}

    def source(self, line):
        return line.lower()

    def pair(self, source, target, line, split):
        return self.source(source), " ".join(reversed(self.source(source).split()))

    def constraint(self, source, target):
        assert source.sha256 == target.sha256  # a joint vocabulary
        return multiset()

    def check(self, tokenize):
        if tokenize != "13a":
            raise UserError(f"reversing has no tokenizer; got {tokenize!r}")

    def scores(self, hypotheses, references, tokenize="13a"):
        pairs = [(one.split(), other.split()) for one, other in zip(hypotheses, references, strict=True)]
        equal = 100 * np.mean([one == other for one, other in pairs])
        misplaced = np.mean([sum(a != b for a, b in zip(one, other)) for one, other in pairs])
        return Scores({"exact_match": float(equal), "misplaced": float(misplaced)}, "reversing 1")


def written(folder: Path, **sizes: int) -> CorpusConfig:
    """Lines of three of the letters A to D; the target side holds only the number of each line."""
    rng = np.random.default_rng(1)
    for split in ("train", "valid", "test"):
        sources = [" ".join(rng.choice(list("ABCD"), 3)) for _ in range(sizes.get(split, 8))]
        (folder / f"{split}.source").write_text("".join(f"{line}\n" for line in sources))
        (folder / f"{split}.target").write_text("".join(f"{number}\n" for number in range(len(sources))))
    pairs = ((str(folder / f"{s}.source"), str(folder / f"{s}.target")) for s in ("train", "valid", "test"))
    return CorpusConfig("text", *pairs)


def text_of(folder: Path, **sizes: int) -> Text:
    """A text of the task, which must be in `TASKS`."""
    return Text(written(folder, **sizes), VocabularyConfig("words", 20, joint=True), task=Reversing.name)
