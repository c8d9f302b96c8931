"""Evaluation of a model (size, perplexity, the scores of its task), and a significance test of two models."""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import jax
import numpy as np

from seq2slim import pruning
from seq2slim.data import batching
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.errors import UserError
from seq2slim.evaluation.perplexity import model_perplexity
from seq2slim.evaluation.translate import UnknownWords, translate
from seq2slim.files import write_atomically
from seq2slim.inference import text_files
from seq2slim.inference.model_files import Model, load_model
from seq2slim.inference.search import make_search
from seq2slim.runs.stage import Stage, run_name
from seq2slim.tasks import Task, task_named

GREEDY, BEAM = "greedy.txt", "beam.txt"


@dataclass(frozen=True)
class Evaluate(Stage):
    """One result row: a model on one split.

    Attributes:
      parent: Train, Prune or Retrain.
      split: the split that is translated.
      search: of the beam columns; the greedy ones have the same limits.
      tokenize: the tokenizer of the scores; "none" for a tokenised test set.
      train_sample: number of training pairs for train_perplexity, drawn with seed 0: the same for all models of a text.
    """

    kind: ClassVar[str] = "evaluate"
    parent: Stage
    split: Literal["valid", "test"] = "test"
    search: SearchConfig = SearchConfig()
    tokenize: str = "13a"
    train_sample: int = 1000

    def __post_init__(self):
        _task(self).check(self.tokenize)

    def describe(self) -> str:
        score = _task(self).label(_task(self).main)
        return f"{run_name(self.parent)}, {self.split}: perplexity, {score} greedy and beam {self.search.beam}"

    def run(self, run_dir: Path, context) -> dict:
        text_dir = context.run_dir(self.parent.text)
        model = load_model(context.run_dir(self.parent), context.say, text_dir)
        corpus = text_files.tokenised(text_dir)
        source_vocabulary, target_vocabulary = text_files.vocabularies(text_dir)
        source_lines, references = (self.parent.text.lines(self.split, side) for side in (0, 1))
        batches = batching.BatchConfig(self.search.batch_size, model.reverse_source)
        replaced = (
            UnknownWords(source_lines, source_vocabulary, model.reverse_source) if self.search.replace_unknown else None
        )
        task = _task(self)
        constraint = task.constraint(source_vocabulary, target_vocabulary)
        row = {"split": self.split, "sentences": len(references), **sizes(model)}

        sample = np.sort(np.random.default_rng(0).permutation(len(corpus["train"]))[: self.train_sample])
        for name, split, chosen in (
            ("train_perplexity", "train", sample),
            ("valid_perplexity", "valid", None),
            ("perplexity", self.split, None),
        ):
            found = model_perplexity(model.config, model.params, corpus[split], batches, chosen, context.until_stopped)
            row[name] = round(found.perplexity, 4)
        for name, beam, file in (("greedy", 1, GREEDY), ("beam", self.search.beam, BEAM)):
            search = make_search(model, dataclasses.replace(self.search, beam=beam), constraint=constraint)
            start = time.perf_counter()
            lines = translate(
                search,
                context.until_stopped(batching.evaluation_batches(corpus[self.split], batches, targets=False)),
                target_vocabulary,
                len(references),
                replaced,
                task.text,
            )
            row[f"{name}_seconds"] = round(time.perf_counter() - start, 2)
            write_atomically(run_dir / file, "".join(f"{line}\n" for line in lines))
            row |= task.columns(name, task.scores(lines, references, self.tokenize))
        return row | {"beam": self.search.beam}


@dataclass(frozen=True)
class Compare(Stage):
    """Paired bootstrap of the beam outputs of two evaluated models on one split.

    Attributes: baseline, system: Evaluate stages of the same text and split. samples: resamples of the test set.
    """

    kind: ClassVar[str] = "compare"
    baseline: Evaluate
    system: Evaluate
    samples: int = 1000

    def __post_init__(self):
        if self.baseline.split != self.system.split or self.baseline.tokenize != self.system.tokenize:
            one, other = ((stage.split, stage.tokenize) for stage in (self.baseline, self.system))
            raise UserError(f"two systems are compared on one split, with one tokenizer; got {one} and {other}")
        if (one := _task(self.baseline).name) != (other := _task(self.system).name):
            raise UserError(f"two systems are compared on one task; got {one} and {other}")

    def describe(self) -> str:
        return f"paired bootstrap of {self.samples:,} resamples on {self.system.split}"

    def run(self, run_dir: Path, context) -> dict:
        def hypotheses(stage: Evaluate) -> list[str]:
            return (context.run_dir(stage) / BEAM).read_text(encoding="utf-8").split("\n")[:-1]

        task = _task(self.system)
        found = task.compare(
            hypotheses(self.baseline),
            hypotheses(self.system),
            self.system.parent.text.lines(self.system.split, 1),
            self.samples,
            self.system.tokenize,
        )
        row = {"p_value": round(found.p_value, 4), "signature": found.signature}
        for name, interval in (("baseline", found.baseline), ("system", found.system)):
            row[f"{name}_{task.main}"] = task.rounded(task.main, interval.score)
            row[f"{name}_half_width"] = task.rounded(task.main, interval.half_width)
        return row


def _task(stage: Evaluate) -> Task:
    return task_named(stage.parent.text.task)


def sizes(model: Model) -> dict:
    """Size of a model: weights, weights that are not 0.0, and the sparsity of the prunable ones."""
    leaves = jax.tree.leaves(model.params)
    return {
        "weights": sum(leaf.size for leaf in leaves),
        "non_zero": sum(int(np.count_nonzero(np.asarray(leaf))) for leaf in leaves),
        "sparsity": round(pruning.count(model.masks).sparsity, 6) if model.masks is not None else 0.0,
    }
