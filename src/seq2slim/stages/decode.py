"""Teacher corpora: the training sources of a text decoded by a teacher, and folds of them joined."""

import heapq
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from seq2slim.data.tokenised import TokenisedSplit
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.distillation import teacher_corpus
from seq2slim.distillation.n_best import Hypothesis
from seq2slim.distillation.verify import verify
from seq2slim.errors import UserError
from seq2slim.inference import text_files
from seq2slim.inference.model_files import load_model
from seq2slim.inference.teacher import Teacher, decode_again, decode_corpus, make_teacher
from seq2slim.runs.stage import Stage, identity, run_name
from seq2slim.stages.text import Text


@dataclass(frozen=True)
class Decode(Stage):
    """Decodes the training sources of a text with a teacher: K best per line (sequence-level distillation).

    Attributes:
      text: its training pairs are decoded, as far as the tokenised text kept them.
      teachers: models with the vocabularies of `text`; several are an ensemble (mean of probabilities).
      search: K, length penalty, limits. <unk> is kept, as in the paper.
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
            raise UserError("teachers must be at least one model")
        if not 0 <= self.fold < self.folds:
            raise UserError(f"fold must be in 0..{self.folds - 1} (folds={self.folds}), got {self.fold}")

    def describe(self) -> str:
        part = f", fold {self.fold + 1} of {self.folds}" if self.folds > 1 else ""
        return f"training text by {' + '.join(map(run_name, self.teachers))}, beam {self.search.beam}{part}"

    def run(self, run_dir: Path, context) -> dict:
        split = text_files.tokenised(context.run_dir(self.text))["train"]
        facts = {"corpus": self.text.content_hash(), "folds": self.folds, "fold": self.fold}
        sources = self.text.lines("train", 0)
        teacher, rows = self.teacher(context), self.rows(split)
        counts = decode_corpus(run_dir, context.scratch(), teacher, split, rows, sources, self.search, facts, context)
        context.say(
            f"{counts['decoded']:,} of {counts['lines']:,} lines decoded, {counts['dropped']:,} dropped "
            f"({counts['empty']:,} of them empty), {counts['cut']:,} cut by the length limit"
        )
        return counts

    def rows(self, split: TokenisedSplit) -> np.ndarray:
        """int64[n]: the pairs of the split that this stage decodes."""
        return np.flatnonzero(np.asarray(split.lines) % self.folds == self.fold)

    def teacher(self, context) -> Teacher:
        """Loads the models."""
        text_dir = context.run_dir(self.text)
        models = [load_model(context.run_dir(stage), context.say, text_dir) for stage in self.teachers]
        return make_teacher(models, text_files.vocabularies(text_dir), [identity(stage) for stage in self.teachers])


def verify_decoded(stage: Decode, run_dir: Path, context, sample: int = 32) -> list[str]:
    """Problems of the teacher corpus in `run_dir` that `stage` should have made; see `distillation.verify`."""
    split, teacher = text_files.tokenised(context.run_dir(stage.text))["train"], stage.teacher(context)

    def decode(lines: list[int]) -> dict[int, list[Hypothesis]]:
        return decode_again(teacher, split, stage.search, lines)

    return verify(run_dir, stage.text.lines("train", 0), teacher.identities, decode, sample)


@dataclass(frozen=True)
class Join(Stage):
    """Joins the teacher corpora of the folds of one text: the corpus of jackknifed teachers.

    Attributes: parts: Decode stages of one text, one per fold.
    """

    kind: ClassVar[str] = "join"
    parts: tuple[Decode, ...]

    def __post_init__(self):
        found = sorted((part.folds, part.fold) for part in self.parts)
        if found != [(len(found), fold) for fold in range(len(found))] or len({part.text for part in self.parts}) != 1:
            raise UserError(f"parts must be all folds of one text, once each; got (folds, fold) {found}")

    @property
    def text(self) -> Text:
        """The text that was decoded."""
        return self.parts[0].text

    def describe(self) -> str:
        return f"{len(self.parts)} folds"

    def run(self, run_dir: Path, context) -> dict:
        run_dirs = [context.run_dir(part) for part in sorted(self.parts, key=lambda part: part.fold)]
        manifests = [teacher_corpus.read_manifest(part) for part in run_dirs]
        n_best = [teacher_corpus.checked(part, teacher_corpus.N_BEST) for part in run_dirs]

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
        return teacher_corpus.write_lines(run_dir, lines(), {"teachers": teachers, "folds": len(run_dirs), **facts})[
            "counts"
        ]
