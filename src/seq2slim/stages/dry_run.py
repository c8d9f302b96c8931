"""A model at its full size led through a few steps of training, pruning, retraining, export and reload, and timed."""

import contextlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim import pruning, storage
from seq2slim.data import batching
from seq2slim.data.shapes import fit_shapes
from seq2slim.errors import StopRequested, UserError
from seq2slim.files import write_atomically
from seq2slim.inference import text_files
from seq2slim.inference.model_files import Model
from seq2slim.models import ModelOptions, Seq2Seq, Seq2SeqConfig, init_params, weight_classes
from seq2slim.runs.memory import peak_bytes, reset_peak
from seq2slim.runs.stage import Stage, differing
from seq2slim.stages.prune import SCHEMES
from seq2slim.stages.text import Text
from seq2slim.stages.train import with_dropout
from seq2slim.training.config import TrainingConfig
from seq2slim.training.learning_rates import learning_rate
from seq2slim.training.loop import total_steps
from seq2slim.training.optimizers import make_optimizer
from seq2slim.training.state import new_state
from seq2slim.training.step import make_train_step

SERIES = "series.json"


@dataclass(frozen=True)
class DryRun(Stage):
    """Seconds and peak memory of each part of an experiment, for a model that takes too long to be trained here.

    Attributes:
      text: where the batches come from; all are padded to the widest shape that its longest sentences take.
      model: its architecture.
      words: of each of its vocabularies, however few the text supports; the rest are never looked up, but every logit
        is computed.
      training, retraining: how; the optimiser, its rate and the batch size count here.
      reverse_source: whether the encoder reads the source backwards.
      sparsity: pruned by each scheme in turn; retrained and exported is the class-blind one.
      steps: of training, and of retraining.
      seed: of initialisation, batches and dropout; retraining takes the next number.

    As in a run of its own, training and retraining hold the parameters that they start from to the end.
    """

    kind: ClassVar[str] = "rehearse"
    text: Text
    model: ModelOptions = ModelOptions("see2016")
    words: int = 50_000
    training: TrainingConfig = TrainingConfig()
    retraining: TrainingConfig = TrainingConfig()
    reverse_source: bool = True
    sparsity: float = 0.8
    steps: int = 3
    seed: int = 1

    def __post_init__(self):
        if self.steps < 1:
            raise UserError(f"steps must be at least 1, got {self.steps}")

    def describe(self) -> str:
        return f"{self.model.preset}, {self.words:,} words: {self.steps} steps, prune, {self.steps} steps, export"

    def content_hash(self) -> str:
        """What the preset stands for: a preset is a name, and its numbers may change."""
        return json.dumps(differing(self.model.build(self.words, self.words)), sort_keys=True)

    def run(self, run_dir: Path, context) -> dict:
        config = self.model.build(self.words, self.words)
        split = text_files.tokenised(context.run_dir(self.text))["train"]
        phases = _Phases(context)
        params = jax.jit(partial(init_params, config))(jax.random.fold_in(jax.random.key(self.seed), 0))
        dense = Model(config, params, None, self.reverse_source)
        params = self._steps("training", self.training, self.seed, dense, phases, split)
        del dense
        classes = pruning.classes_by_rules(params, weight_classes(config))
        kept = {}
        for scheme in ("class_uniform", "class_distribution", "class_blind"):  # the last is the one applied
            masks = None  # those of the scheme before are not of this one
            with phases.timed(f"pruning {100 * self.sparsity:g}%, {scheme}"):
                masks = SCHEMES[scheme](params, sparsity=self.sparsity, classes=classes)
            kept[f"kept_{scheme}"] = pruning.count(masks).kept
        with phases.timed("masks applied, class_blind"):
            params = jax.block_until_ready(pruning.apply_masks(params, masks))
        masks = jax.tree.map(jnp.asarray, masks)
        pruned = Model(config, params, masks, self.reverse_source)
        params = self._steps("retraining", self.retraining, self.seed + 1, pruned, phases, split)
        path = context.scratch() / "model.slim"
        with phases.timed("export, float32"):
            size = storage.write(path, params, masks)
        with phases.timed("reload"):
            back = storage.read(path)
        same = zip(jax.tree.leaves((params, masks)), jax.tree.leaves((back.params, back.masks)), strict=True)
        if not all(np.array_equal(a, b) for a, b in same):
            raise UserError("the file does not hold the model that was exported")
        write_atomically(run_dir / SERIES, json.dumps({"phases": phases.rows}) + "\n")
        shape = widest_shape(self.text.max_length)
        return {
            "weights": sum(leaf.size for leaf in jax.tree.leaves(params)), **kept, "bytes": size,
            "batch": self.training.batch_size, "source": shape[0], "target": shape[1],
            "devices": f"{jax.device_count()} {jax.default_backend()}", "cores": os.cpu_count(),
            "peak_is_of": phases.of,
        }  # fmt: skip

    def _steps(self, name: str, config: TrainingConfig, seed: int, start: Model, phases: "_Phases", split):
        """Takes real steps from a model. Returns: the parameters after them."""
        batches = batching.BatchConfig(config.batch_size, start.reverse_source, config.shapes)
        plan = batching.plan_epoch(split.lengths, batches, seed, epoch=0)
        shape = widest_shape(self.text.max_length)
        with phases.timed(f"{name}: compiling"):
            made = make_step(with_dropout(start, config), config, shape, len(plan), seed, start.masks)
        with phases.timed(f"{name}: first state"):
            state = jax.block_until_ready(made.start(start.params))
        for number in range(self.steps):
            batch = batching.make_batch(split, plan[number % len(plan)][1], shape, batches)
            with phases.timed(f"{name}: step {number + 1}"):
                state, metrics = jax.block_until_ready(made.compiled(state, batch, start.masks))
            nll, norm = float(metrics.nll / metrics.tokens), float(metrics.gradient_norm)
            if not math.isfinite(nll) or not math.isfinite(norm):
                raise UserError(f"{name}: step {number + 1} ended in a loss of {nll} and a gradient of {norm}")
            phases.say(
                f"{name}: step {number + 1}: {int(metrics.tokens):,} target words, {nll:.4f} nats a word "
                f"(chance: {math.log(self.words):.4f}), gradient {norm:.3f}, {phases.rows[-1]['seconds']:.1f} s"
            )
        return state.result


def load_series(run_dir: Path) -> dict[str, list[dict]]:
    """The series of a finished stage: phases, one line each: phase, seconds and peak_bytes."""
    return json.loads((run_dir / SERIES).read_text())


class _Phases:
    """Times what happens and watches the memory. rows: phase, seconds, peak_bytes of the process."""

    def __init__(self, context):
        self._context, self.say = context, context.say
        self.rows: list[dict] = []
        self.of = "the phase"

    @contextlib.contextmanager
    def timed(self, name: str):
        if self._context.stop_requested:
            raise StopRequested
        if not reset_peak():
            self.of = "the process so far"
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self.rows.append({"phase": name, "seconds": round(seconds, 2), "peak_bytes": peak_bytes()})


class Step(NamedTuple):
    """A compiled step: compiled(state, batch, masks).

    state: its abstract state. start: params -> the state before the first step.
    """

    compiled: jax.stages.Compiled
    state: Any
    start: Callable


def widest_shape(max_length: int) -> tuple[int, int]:
    """(S, T) that training pads a pair of the longest sentences to; T has room for EOS."""
    source, target = fit_shapes(np.array([[max_length, max_length + 1]]), most=1)[-1]
    return int(source), int(target)


def make_step(
    config: Seq2SeqConfig, training: TrainingConfig, shape: tuple[int, int], steps_per_epoch: int, seed: int, masks=None
) -> Step:
    """The training step, compiled for batches of `shape` from the shapes of its state alone.

    Args:
      shape: (S, T) of every batch.
      steps_per_epoch: what the schedule of `training` counts in.
      seed: of dropout.
      masks: of the weights kept; the step then trains sparsely.
    """
    total = total_steps(training, steps_per_epoch)
    rate = learning_rate(training.schedule, training.optimizer.learning_rate, steps_per_epoch, total)
    optimizer = make_optimizer(training.optimizer, rate)
    key = jax.random.key(seed)

    def start(params):
        return new_state(params, optimizer, jax.random.fold_in(key, 1), training.average_decay > 0, masks)

    rows, words = training.batch_size, partial(jax.ShapeDtypeStruct, dtype=np.int32)
    target = words((rows, shape[1]))
    batch = batching.Batch(words((rows, shape[0])), target, target, words((rows,)))
    abstract = jax.eval_shape(start, jax.eval_shape(partial(init_params, config), key))
    step = make_train_step(Seq2Seq(config), optimizer, training, rate)
    return Step(step.lower(abstract, batch, masks).compile(), abstract, start)
