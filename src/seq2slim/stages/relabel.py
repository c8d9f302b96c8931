"""Other targets for the training lines of a text: the choice among n-best, a held-out fold, and the relabelled text."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from seq2slim.data.tokenising import tokenise
from seq2slim.distillation import selection, teacher_corpus
from seq2slim.distillation.n_best import read_n_best
from seq2slim.errors import UserError
from seq2slim.inference import text_files
from seq2slim.runs.stage import Stage, identity, run_name
from seq2slim.stages.text import Text
from seq2slim.tasks import TaskName


@dataclass(frozen=True)
class Select(Stage):
    """Selects, of the K best of each line, the one nearest to the reference (sequence-level interpolation).

    Attributes:
      n_best: Decode or Join.
      smoothing: of sentence-BLEU: the authors' `halving`, or sacreBLEU's.
      tokenize: "13a", or "none" for a tokenised text.
    """

    kind: ClassVar[str] = "select"
    n_best: Stage
    smoothing: Literal["halving", "sacrebleu"] = "halving"
    tokenize: Literal["13a", "none"] = "13a"

    @property
    def text(self) -> Text:
        """The text that was decoded."""
        return self.n_best.text

    def describe(self) -> str:
        return f"of {run_name(self.n_best)} the nearest to the reference, {self.smoothing}"

    def run(self, run_dir: Path, context) -> dict:
        score = selection.scorer(self.smoothing, self.tokenize)
        references = self.text.lines("train", 1)
        chosen, scores = [""] * len(references), []
        for line, hypotheses in read_n_best(
            teacher_corpus.checked(context.run_dir(self.n_best), teacher_corpus.N_BEST)
        ):
            own = [hypothesis.text for hypothesis in hypotheses]
            index, best = selection.nearest(own, references[line], score)
            chosen[line] = own[index]
            scores.append((best, score(own[0], references[line]), index))
        teacher_corpus.write_target(run_dir, chosen)
        best, first, index = np.array(scores).T
        return {
            "lines": len(scores),
            "moved": round(float((index > 0).mean()), 4),
            "sentence_bleu": round(100 * float(best.mean()), 2),
            "sentence_bleu_of_first": round(100 * float(first.mean()), 2),
        }


@dataclass(frozen=True)
class HeldOut(Stage):
    """The references of a text without one fold, to train the teacher that will decode that fold.

    Attributes: text: the whole text. folds, fold: every `folds`-th line, from line `fold` on, is left out.
    """

    kind: ClassVar[str] = "heldout"
    text: Text
    folds: int
    fold: int

    @property
    def task(self) -> TaskName:
        """That of the text."""
        return self.text.task

    def __post_init__(self):
        if not 0 <= self.fold < self.folds or self.folds < 2:
            raise UserError(f"folds must be at least 2 and fold below it, got {self.folds} and {self.fold}")

    def run(self, run_dir: Path, context) -> dict:
        lines = self.text.lines("train", 1)
        left = ["" if line % self.folds == self.fold else target for line, target in enumerate(lines)]
        teacher_corpus.write_target(run_dir, left)
        return {"lines": len(lines), "left_out": sum(map(bool, lines)) - sum(map(bool, left))}


@dataclass(frozen=True)
class RelabelledText(Stage):
    """A relabelled text: the same sources with a teacher's translations as training targets, in the same vocabularies.

    Valid, test and line numbers are unchanged. Lines without a target, and lines longer than the text allows, are
    dropped and counted.

    Attributes: targets: Decode, Join, Select or HeldOut.
    """

    kind: ClassVar[str] = "retold"
    targets: Stage

    @property
    def text(self) -> Text:
        """The text that is relabelled."""
        return self.targets.text

    @property
    def task(self) -> TaskName:
        """That of the text that is relabelled."""
        return self.text.task

    def lines(self, split: str, side: Literal[0, 1]) -> list[str]:
        """The lines of one side of a split; for targets the references, not the teacher's translations."""
        return self.text.lines(split, side)

    def describe(self) -> str:
        return f"train relabelled by {run_name(self.targets)}"

    def run(self, run_dir: Path, context) -> dict:
        vocabularies = text_files.vocabularies(context.run_dir(self.text))
        corpus, targets = (
            self.text.prepared(context),
            teacher_corpus.checked(context.run_dir(self.targets), teacher_corpus.TARGET),
        )
        splits = {**corpus.splits, "train": (corpus.splits["train"][0], targets)}
        relabelled = dataclasses.replace(corpus, splits=splits, sha256=identity(self))
        tokenised = tokenise(relabelled, *vocabularies, run_dir / text_files.TOKENISED, self.text.max_length)
        self.text.loaded()
        for vocabulary, name in zip(vocabularies, (text_files.SOURCE_VOCABULARY, text_files.TARGET_VOCABULARY)):
            vocabulary.save(run_dir / name)
        context.say(tokenised.dropped)
        return {split: dict(part.counts) for split, part in tokenised.splits.items()}
