"""Measures of distilled models: probability of the mode, memorisation of the training text, speed."""

import dataclasses
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from seq2slim.data import batching
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.distillation.mode import mode_mass
from seq2slim.errors import UserError
from seq2slim.evaluation.translate import search_lines
from seq2slim.inference import text_files
from seq2slim.inference.model_files import load_model
from seq2slim.inference.search import make_search
from seq2slim.runs.stage import Stage, run_name
from seq2slim.tasks import task_named


@dataclass(frozen=True)
class Mode(Stage):
    """p(w*) of a model: the mean probability of its mode, as found by beam search (Kim & Rush 2016).

    Attributes:
      parent: Train, Prune or Retrain. split: whose sources are used.
      search: beam and limits; its length penalty is ignored, as the mode is the most probable hypothesis.
    """

    kind: ClassVar[str] = "mode"
    parent: Stage
    split: Literal["valid", "test"] = "test"
    search: SearchConfig = SearchConfig()

    def describe(self) -> str:
        return f"p(w*) of {run_name(self.parent)}, {self.split}, beam {self.search.beam}"

    def run(self, run_dir: Path, context) -> dict:
        model, text_dir = load_model(context.run_dir(self.parent), context.say), context.run_dir(self.parent.text)
        split = text_files.tokenised(text_dir)[self.split]
        config = batching.BatchConfig(self.search.batch_size, model.reverse_source)
        rows = np.flatnonzero(split.source.lengths)
        batches = batching.evaluation_batches(split, config, targets=False, rows=rows)
        constraint = task_named(self.parent.text.task).constraint(*text_files.vocabularies(text_dir))
        search = make_search(
            model, dataclasses.replace(self.search, length_penalty=LengthPenalty()), constraint=constraint
        )
        found = mode_mass(np.stack([result.log_prob for _, _, result in search_lines(search, batches)]))
        return {"mode": found.mode, "n_best_mass": found.n_best, "mode_beam": self.search.beam}


@dataclass(frozen=True)
class Memorisation(Stage):
    """How much better a model does on its training text: the main score on a sample of train, and on valid.

    Attributes:
      parent: Train or Retrain. sample: number of training pairs, drawn with seed 0.
      search, tokenize: as in Evaluate.
    """

    kind: ClassVar[str] = "memory"
    parent: Stage
    sample: int = 1000
    search: SearchConfig = SearchConfig()
    tokenize: str = "13a"

    def describe(self) -> str:
        return f"{run_name(self.parent)}, train against valid"

    def run(self, run_dir: Path, context) -> dict:
        model = load_model(context.run_dir(self.parent), context.say)
        text, text_dir = self.parent.text, context.run_dir(self.parent.text)
        corpus, vocabularies = text_files.tokenised(text_dir), text_files.vocabularies(text_dir)
        task = task_named(text.task)
        config = batching.BatchConfig(self.search.batch_size, model.reverse_source)
        search = make_search(model, self.search, constraint=task.constraint(*vocabularies))
        result = {"beam": self.search.beam}
        for name in ("train", "valid"):
            split, references = corpus[name], text.lines(name, 1)
            rows = np.flatnonzero(split.source.lengths)
            if name == "train":
                rows = np.sort(np.random.default_rng(0).permutation(rows)[: self.sample])
            batches = batching.evaluation_batches(split, config, targets=False, rows=rows)
            pairs = [
                (task.text(found, 0, line, source, vocabularies[1]), references[line])
                for line, source, found in search_lines(search, batches)
            ]
            scores = task.scores(*zip(*pairs), self.tokenize)
            result[f"{name}_{task.main}"] = task.rounded(task.main, scores.values[task.main])
        train, valid = (result[f"{name}_{task.main}"] for name in ("train", "valid"))
        return result | {"ratio": round(train / max(valid, 0.01), 3)}


@dataclass(frozen=True)
class Speed(Stage):
    """Sentences per second of several models, greedy and with a beam, timed in turn: only ratios within a run count.

    Attributes:
      models: Train, Prune or Retrain, of one text.
      split: the split that every model translates, in batches sorted by length.
      search: of the beam; greedy has the same limits. rounds: timings of each, in turn; the median counts.
    """

    kind: ClassVar[str] = "speed"
    models: tuple[Stage, ...]
    split: Literal["valid", "test"] = "test"
    search: SearchConfig = SearchConfig()
    rounds: int = 3

    def __post_init__(self):
        if not self.models or self.rounds < 1:
            raise UserError(f"models and rounds must be at least 1, got {len(self.models)} and {self.rounds}")

    def describe(self) -> str:
        return f"{len(self.models)} models in turn, {self.rounds} rounds, greedy and beam {self.search.beam}"

    def run(self, run_dir: Path, context) -> dict:
        """Result: `greedy` and `beam`, each a list of sentences per second in the order of `models`."""
        runs = {}
        for index, stage in enumerate(self.models):
            model, text_dir = load_model(context.run_dir(stage), context.say), context.run_dir(stage.text)
            split = text_files.tokenised(text_dir)[self.split]
            constraint = task_named(stage.text.task).constraint(*text_files.vocabularies(text_dir))
            config = batching.BatchConfig(self.search.batch_size, model.reverse_source)
            batches = list(batching.evaluation_batches(split, config, targets=False))
            for name, beam in (("greedy", 1), ("beam", self.search.beam)):
                search = make_search(model, dataclasses.replace(self.search, beam=beam), constraint=constraint)
                runs[name, index] = search, batches
        seconds: dict[tuple, list[float]] = {run: [] for run in runs}
        for round_ in range(self.rounds + 1):  # the first one compiles
            for step, (run, (search, batches)) in enumerate(runs.items(), start=1):
                start = time.perf_counter()
                sentences = sum(1 for _ in search_lines(search, batches))
                if round_:
                    seconds[run].append(time.perf_counter() - start)
                context.progress(step=round_ * len(runs) + step, total=(self.rounds + 1) * len(runs))
        rates = {run: round(sentences / statistics.median(times), 2) for run, times in seconds.items()}
        order = range(len(self.models))
        return {name: [rates[name, index] for index in order] for name in ("greedy", "beam")}
