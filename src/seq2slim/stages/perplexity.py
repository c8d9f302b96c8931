"""The perplexity of a model on one split alone: a row without a search."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from seq2slim.data import batching
from seq2slim.evaluation.perplexity import model_perplexity
from seq2slim.inference import text_files
from seq2slim.inference.model_files import load_model
from seq2slim.runs.stage import Stage, run_name
from seq2slim.stages.evaluate import sizes


@dataclass(frozen=True)
class Perplexity(Stage):
    """Perplexity of `parent` (Train, Prune or Retrain) on one split."""

    kind: ClassVar[str] = "perplexity"
    parent: Stage
    split: Literal["valid", "test"] = "valid"
    batch_size: int = 32

    def describe(self) -> str:
        return f"{run_name(self.parent)}, {self.split}"

    def run(self, run_dir: Path, context) -> dict:
        model = load_model(context.run_dir(self.parent), context.say)
        split = text_files.tokenised(context.run_dir(self.parent.text))[self.split]
        batches = batching.BatchConfig(self.batch_size, model.reverse_source)
        found = model_perplexity(model.config, model.params, split, batches, watched=context.until_stopped)
        return {"split": self.split, "perplexity": round(found.perplexity, 4), "tokens": found.tokens, **sizes(model)}
