"""Evaluation of a model (size, perplexity, BLEU), and a significance test of two models."""

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
from seq2slim.evaluation.bleu import bleu, check_tokenizer, paired_bootstrap
from seq2slim.evaluation.translate import UnknownWords, translate
from seq2slim.files import write_atomically
from seq2slim.inference import text_files
from seq2slim.inference.model_files import Model, load_model
from seq2slim.inference.search import make_search
from seq2slim.runs.stage import Stage, run_name
from seq2slim.stages.train import perplexity

GREEDY, BEAM = "greedy.txt", "beam.txt"


@dataclass(frozen=True)
class Evaluate(Stage):
    """One result row: a model on one split.

    Attributes:
      parent: Train, Prune or Retrain.
      split: the split that is translated.
      search: of the beam columns; the greedy ones have the same limits.
      tokenize: sacreBLEU's tokenizer; "none" for a tokenised test set.
      train_sample: number of training pairs for train_perplexity, drawn with seed 0: the same for all models of a text.
    """

    kind: ClassVar[str] = "evaluate"
    parent: Stage
    split: Literal["valid", "test"] = "test"
    search: SearchConfig = SearchConfig()
    tokenize: str = "13a"
    train_sample: int = 1000

    def __post_init__(self):
        check_tokenizer(self.tokenize)

    def describe(self) -> str:
        return f"{run_name(self.parent)}, {self.split}: perplexity, BLEU greedy and beam {self.search.beam}"

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
        row = {"split": self.split, "sentences": len(references), **sizes(model)}

        sample = np.sort(np.random.default_rng(0).permutation(len(corpus["train"]))[: self.train_sample])
        for name, split, chosen in (
            ("train_perplexity", "train", sample),
            ("valid_perplexity", "valid", None),
            ("perplexity", self.split, None),
        ):
            found = perplexity(model.config, model.params, corpus[split], batches, chosen, context.until_stopped)
            row[name] = round(found.perplexity, 4)
        for name, beam, file in (("greedy", 1, GREEDY), ("beam", self.search.beam, BEAM)):
            search = make_search(model, dataclasses.replace(self.search, beam=beam))
            start = time.perf_counter()
            lines = translate(
                search,
                context.until_stopped(batching.evaluation_batches(corpus[self.split], batches, targets=False)),
                target_vocabulary,
                len(references),
                replaced,
            )
            row[f"{name}_seconds"] = round(time.perf_counter() - start, 2)
            write_atomically(run_dir / file, "".join(f"{line}\n" for line in lines))
            found = bleu(lines, references, tokenize=self.tokenize)
            row |= {
                f"{name}_bleu": round(found.score, 2),
                "signature": found.signature,
                f"{name}_length_ratio": round(found.length_ratio, 3),
            }
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

    def describe(self) -> str:
        return f"paired bootstrap of {self.samples:,} resamples on {self.system.split}"

    def run(self, run_dir: Path, context) -> dict:
        def hypotheses(stage: Evaluate) -> list[str]:
            return (context.run_dir(stage) / BEAM).read_text(encoding="utf-8").split("\n")[:-1]

        found = paired_bootstrap(
            hypotheses(self.baseline),
            hypotheses(self.system),
            self.system.parent.text.lines(self.system.split, 1),
            samples=self.samples,
            tokenize=self.system.tokenize,
        )
        return {
            "baseline_bleu": round(found.baseline.score, 2),
            "system_bleu": round(found.system.score, 2),
            "baseline_half_width": round(found.baseline.half_width, 2),
            "system_half_width": round(found.system.half_width, 2),
            "p_value": round(found.p_value, 4),
            "signature": found.signature,
        }


def sizes(model: Model) -> dict:
    """Size of a model: weights, weights that are not 0.0, and the sparsity of the prunable ones."""
    leaves = jax.tree.leaves(model.params)
    return {
        "weights": sum(leaf.size for leaf in leaves),
        "non_zero": sum(int(np.count_nonzero(np.asarray(leaf))) for leaf in leaves),
        "sparsity": round(pruning.count(model.masks).sparsity, 6) if model.masks is not None else 0.0,
    }
