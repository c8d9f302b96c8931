"""The words of teachers, stored once: for word-level distillation without running them again."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import jax
import numpy as np

from seq2slim.data import batching
from seq2slim.decoding.ensemble import mean_of_probabilities
from seq2slim.decoding.top_k import top_k
from seq2slim.distillation.shards import SHARD_BATCHES, missing_shards, shard_path, split_evenly
from seq2slim.distillation.top_k import TopKStore, write_shard, write_store
from seq2slim.errors import StopRequested, UserError
from seq2slim.inference import text_files
from seq2slim.inference.model_files import load_model
from seq2slim.models import Seq2Seq
from seq2slim.runs.stage import Stage, run_name
from seq2slim.special_ids import PAD


@dataclass(frozen=True)
class StoreWords(Stage):
    """The teachers' k most probable words at every position of a training text, under teacher forcing.

    Attributes:
      text: Text or RelabelledText.
      teachers: models with the vocabularies of `text`; several form an ensemble (mean of probabilities).
      k: words stored per position.
    """

    kind: ClassVar[str] = "storewords"
    text: Stage
    teachers: tuple[Stage, ...]
    k: int = 8

    def __post_init__(self):
        if not self.teachers or self.k < 1:
            raise UserError(f"k and the number of teachers must be at least 1, got {self.k} and {len(self.teachers)}")

    def describe(self) -> str:
        return f"{self.k} words per position of {run_name(self.text)} by {' + '.join(map(run_name, self.teachers))}"

    def run(self, run_dir: Path, context) -> dict:
        text_dir = context.run_dir(self.text)
        models = [load_model(context.run_dir(stage), context.say, text_dir) for stage in self.teachers]
        if self.k > (words := models[0].config.target_vocabulary):
            raise UserError(f"k={self.k} words per position are stored; the vocabulary has {words}")
        split = text_files.tokenised(text_dir)["train"]
        config = batching.BatchConfig(reverse_source=models[0].reverse_source)
        shards = split_evenly(batching.plan_evaluation(split.lengths, config), SHARD_BATCHES)
        folder = context.scratch()
        params = tuple(model.params for model in models)
        read = partial(_top_words, tuple(model.module for model in models), self.k, params)
        for index in missing_shards(folder, len(shards)):
            rows, words, log_probs = [], [], []
            for shape, chosen in shards[index]:
                batch = batching.make_batch(split, chosen, shape, config)
                found = [np.asarray(array) for array in read(batch)]
                inside = batch.target_out != PAD
                rows.append(chosen)
                words.append(found[0][inside])
                log_probs.append(found[1][inside])
            write_shard(shard_path(folder, index), *map(np.concatenate, (rows, words, log_probs)))
            context.progress(step=index + 1, total=len(shards))
            if context.stop_requested:
                raise StopRequested(f"{index + 1} of {len(shards)} shards are saved")
        write_store(run_dir, folder, len(shards), split.target.lengths, split.lines, self.k)
        mass = np.exp(TopKStore(run_dir).log_probs, dtype=np.float64).sum(1).mean()
        return {"positions": int(split.target.lengths.sum() + len(split)), "mass": round(float(mass), 4)}


@partial(jax.jit, static_argnums=(0, 1))
def _top_words(modules: tuple[Seq2Seq, ...], k: int, params, batch):
    """(words int32[B, T, k], log-probabilities f32[B, T, k]), most probable first."""
    logits = [
        module.apply({"params": own}, batch.source, batch.target_in).swapaxes(0, 1)
        for module, own in zip(modules, params)
    ]
    log_probs = jax.nn.log_softmax(mean_of_probabilities(logits))
    best, words = top_k(log_probs.reshape(-1, log_probs.shape[-1]), k)
    shape = (*log_probs.shape[:2], k)
    return words.reshape(shape), best.reshape(shape)
