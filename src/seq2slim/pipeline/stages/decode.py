"""Stages that say what a student is to learn: each writes `target.txt`, one line for each training line of a text."""

import dataclasses
import heapq
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from seq2slim.data.tokenised import TokenisedSplit
from seq2slim.distillation import selection, teacher_corpus
from seq2slim.distillation.n_best import Hypothesis, read_n_best
from seq2slim.distillation.verify import verify
from seq2slim.pipeline.decode import Teacher, decode_again, decode_corpus
from seq2slim.pipeline.model_files import load_model
from seq2slim.pipeline.search import SearchConfig
from seq2slim.pipeline.stage import Stage, home_name, identity
from seq2slim.pipeline.stages import text as texts
from seq2slim.pipeline.stages.text import Text


@dataclass(frozen=True)
class Decode(Stage):
    """The training sources of a text, decoded by a teacher: its K best for each line (sequence-level distillation).

    Attributes:
      text: whose pairs are decoded: those that the tokenised text kept.
      teachers: models with the vocabularies of `text`; several are an ensemble (mean of probabilities).
      search: K, length penalty, limits. Unknown words stay unknown, as in the paper.
      folds, fold: decode only every `folds`-th line, from line `fold` on; 1 decodes all.
    """

    kind: ClassVar[str] = "decode"
    text: Text
    teachers: tuple[Stage, ...]
    search: SearchConfig = SearchConfig()
    folds: int = 1
    fold: int = 0

    def __post_init__(self):
        if not self.teachers:
            raise ValueError("teachers must be at least one model")
        if not 0 <= self.fold < self.folds:
            raise ValueError(f"fold must be in 0..{self.folds - 1} (folds={self.folds}), got {self.fold}")

    def describe(self) -> str:
        part = f", fold {self.fold + 1} of {self.folds}" if self.folds > 1 else ""
        return f"training text by {' + '.join(map(home_name, self.teachers))}, beam {self.search.beam}{part}"

    def run(self, home: Path, context) -> dict:
        split = texts.tokenised(context.home(self.text))["train"]
        facts = {"corpus": self.text.content_hash(), "folds": self.folds, "fold": self.fold}
        sources = self.text.lines("train", 0)
        teacher, rows = self.teacher(context), self.rows(split)
        counts = decode_corpus(home, context.scratch(), teacher, split, rows, sources, self.search, facts, context)
        context.say(
            f"{counts['decoded']:,} of {counts['lines']:,} lines decoded, {counts['dropped']:,} dropped "
            f"({counts['empty']:,} of them empty), {counts['cut']:,} cut by the length limit"
        )
        return counts

    def rows(self, split: TokenisedSplit) -> np.ndarray:
        """int64[n]: the pairs of the split that this stage decodes."""
        return np.flatnonzero(np.asarray(split.lines) % self.folds == self.fold)

    def teacher(self, context) -> Teacher:
        """The loaded models."""
        text_home = context.home(self.text)
        models = [load_model(context.home(stage), context.say, text_home) for stage in self.teachers]
        return Teacher(models, texts.vocabularies(text_home)[1], [identity(stage) for stage in self.teachers])


def verify_decoded(stage: Decode, home: Path, context, sample: int = 32) -> list[str]:
    """What is wrong with the teacher corpus in `home`, if `stage` should have made it; see `distillation.verify`."""
    split, teacher = texts.tokenised(context.home(stage.text))["train"], stage.teacher(context)

    def decode(lines: list[int]) -> dict[int, list[Hypothesis]]:
        return decode_again(teacher, split, stage.search, lines)

    return verify(home, stage.text.lines("train", 0), teacher.identities, decode, sample)


@dataclass(frozen=True)
class Join(Stage):
    """One teacher corpus out of several of the same text, each of other lines: that of jackknifed teachers.

    Attributes: parts: Decode stages of one text, one a fold.
    """

    kind: ClassVar[str] = "join"
    parts: tuple[Decode, ...]

    def __post_init__(self):
        found = sorted((part.folds, part.fold) for part in self.parts)
        if found != [(len(found), fold) for fold in range(len(found))] or len({part.text for part in self.parts}) != 1:
            raise ValueError(f"parts must be all folds of one text, once each; got (folds, fold) {found}")

    @property
    def text(self) -> Text:
        """What was decoded."""
        return self.parts[0].text

    def describe(self) -> str:
        return f"{len(self.parts)} folds"

    def run(self, home: Path, context) -> dict:
        homes = [context.home(part) for part in sorted(self.parts, key=lambda part: part.fold)]
        manifests = [teacher_corpus.read_manifest(part) for part in homes]
        n_best = [teacher_corpus.checked(part, teacher_corpus.N_BEST) for part in homes]

        def numbered(path: Path):
            with path.open("rb") as file:
                grouped = itertools.groupby(file, key=lambda raw: int(raw.split(b" ", 1)[0]))
                yield from ((line, b"".join(raw)) for line, raw in grouped)

        def lines():
            expected = 0
            for line, raw in heapq.merge(*map(numbered, n_best)):
                yield from itertools.repeat(b"", line - expected)
                yield raw
                expected = line + 1
            yield from itertools.repeat(b"", manifests[0]["counts"]["lines"] - expected)

        facts = {name: manifests[0][name] for name in ("corpus", "beam", "length_penalty", "limits")}
        teachers = [name for manifest in manifests for name in manifest["teachers"]]
        return teacher_corpus.write_lines(home, lines(), {"teachers": teachers, "folds": len(homes), **facts})["counts"]


@dataclass(frozen=True)
class Select(Stage):
    """Of each line's K best, the one nearest to the reference (sequence-level interpolation).

    Attributes:
      n_best: Decode or Join.
      smoothing: of sentence-BLEU: the authors' `halving`, or sacreBLEU's.
      tokenize: "13a", or "none" where the text is tokenised.
    """

    kind: ClassVar[str] = "select"
    n_best: Stage
    smoothing: Literal["halving", "sacrebleu"] = "halving"
    tokenize: Literal["13a", "none"] = "13a"

    @property
    def text(self) -> Text:
        """What was decoded."""
        return self.n_best.text

    def describe(self) -> str:
        return f"nearest to the reference of {home_name(self.n_best)}, {self.smoothing}"

    def run(self, home: Path, context) -> dict:
        score = selection.scorer(self.smoothing, self.tokenize)
        references = self.text.lines("train", 1)
        chosen, scores = [""] * len(references), []
        for line, hypotheses in read_n_best(teacher_corpus.checked(context.home(self.n_best), teacher_corpus.N_BEST)):
            own = [hypothesis.text for hypothesis in hypotheses]
            index, best = selection.nearest(own, references[line], score)
            chosen[line] = own[index]
            scores.append((best, score(own[0], references[line]), index))
        teacher_corpus.write_target(home, chosen)
        best, first, index = np.array(scores).T
        return {
            "lines": len(scores),
            "moved": round(float((index > 0).mean()), 4),
            "sentence_bleu": round(100 * float(best.mean()), 2),
            "sentence_bleu_of_first": round(100 * float(first.mean()), 2),
        }


@dataclass(frozen=True)
class HeldOut(Stage):
    """The references of a text without one fold, for the teacher that will decode that fold.

    Attributes: text: which. folds, fold: every `folds`-th line, from line `fold` on, is left out.
    """

    kind: ClassVar[str] = "heldout"
    text: Text
    folds: int
    fold: int

    def __post_init__(self):
        if not 0 <= self.fold < self.folds or self.folds < 2:
            raise ValueError(f"folds must be at least 2 and fold below it, got {self.folds} and {self.fold}")

    def run(self, home: Path, context) -> dict:
        lines = self.text.lines("train", 1)
        left = ["" if line % self.folds == self.fold else target for line, target in enumerate(lines)]
        teacher_corpus.write_target(home, left)
        return {"lines": len(lines), "left_out": sum(map(bool, lines)) - sum(map(bool, left))}


@dataclass(frozen=True)
class Retold(Stage):
    """A text with other targets in train, in its own vocabularies; valid and test are as they were.

    Line numbers stay those of the text. Lines without a target, and those longer than the text allows, are dropped and
    counted, as everywhere.

    Attributes: targets: Decode, Join, Select or HeldOut.
    """

    kind: ClassVar[str] = "retold"
    targets: Stage

    @property
    def text(self) -> Text:
        """The text that is told otherwise."""
        return self.targets.text

    def lines(self, split: str, side: Literal[0, 1]) -> list[str]:
        """The lines of one side of a split, of the references and not of what they are told by."""
        return self.text.lines(split, side)

    def describe(self) -> str:
        return f"train told by {home_name(self.targets)}"

    def run(self, home: Path, context) -> dict:
        vocabularies = texts.vocabularies(context.home(self.text))
        corpus, targets = self.text.loaded(), teacher_corpus.checked(context.home(self.targets), teacher_corpus.TARGET)
        splits = {**corpus.splits, "train": (corpus.splits["train"][0], targets)}
        retold = dataclasses.replace(corpus, splits=splits, sha256=identity(self))
        tokenised = texts.tokenise(retold, *vocabularies, home / texts.TOKENISED, self.text.max_length)
        self.text.loaded()
        for vocabulary, name in zip(vocabularies, (texts.SOURCE_VOCABULARY, texts.TARGET_VOCABULARY)):
            vocabulary.save(home / name)
        context.say(tokenised.dropped)
        return {split: dict(part.counts) for split, part in tokenised.splits.items()}
