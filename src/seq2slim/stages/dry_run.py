"""A dry run: a few steps of training, pruning, retraining, export and reload of a model at full size, timed."""

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
from seq2slim.inference import text_files
from seq2slim.inference.model_files import Model
from seq2slim.models import ModelOptions, Seq2SeqConfig, param_shapes, weight_classes
from seq2slim.pruning import SCHEMES
from seq2slim.runs.memory import peak_bytes, reset_peak
from seq2slim.runs.records import write_series
from seq2slim.runs.stage import Stage, differing
from seq2slim.stages.text import Text
from seq2slim.stages.train import fresh_params
from seq2slim.training.config import TrainingConfig
from seq2slim.training.objectives import objective_named
from seq2slim.training.step import make_training


@dataclass(frozen=True)
class DryRun(Stage):
    """Seconds and peak memory of each part of an experiment, for a model that takes too long to train here.

    Attributes:
      text: source of the batches. All are padded to the widest shape, that of the longest sentences.
      model: the architecture.
      words: size of each vocabulary, even if the text supports fewer words. The others are never looked up, but every
        logit is computed.
      training, retraining: their optimiser, learning rate and batch size are used.
      reverse_source: whether the encoder reads the source backwards.
      sparsity: fraction pruned, by each scheme in turn. The class-blind model is retrained and exported.
      steps: of training, and of retraining.
      seed: of initialisation, batches and dropout; retraining uses seed + 1.

    As in a real run, the initial parameters stay in memory until training, or retraining, ends.
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
        if not 0 <= self.sparsity <= 1:
            raise UserError(f"sparsity is a fraction in [0, 1], got {self.sparsity}")

    def describe(self) -> str:
        return f"{self.model.preset}, {self.words:,} words: {self.steps} steps, prune, {self.steps} steps, export"

    def content_hash(self) -> str:
        """The numbers of the model's preset: its name alone would not show that they changed."""
        return json.dumps(differing(self.model.build(self.words, self.words)), sort_keys=True)

    def run(self, run_dir: Path, context) -> dict:
        config = self.model.build(self.words, self.words)
        split = text_files.tokenised(context.run_dir(self.text))["train"]
        phases = _Phases(context)
        params = fresh_params(config, self.seed)
        dense = Model(config, params, None, self.reverse_source)
        params = self._steps("training", self.training, self.seed, dense, phases, split)
        del dense
        classes = pruning.classes_by_rules(params, weight_classes(config))
        kept = {}
        for scheme in ("class_uniform", "class_distribution", "class_blind"):  # the last one is applied
            masks = None  # frees the masks of the scheme before
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
            raise ValueError("the exported file does not hold the exported model")
        write_series(run_dir, {"phases": phases.rows})
        shape = widest_shape(self.text.max_length)
        return {
            "weights": sum(leaf.size for leaf in jax.tree.leaves(params)), **kept, "bytes": size,
            "batch": self.training.rows, "source": shape[0], "target": shape[1],
            "devices": f"{jax.device_count()} {jax.default_backend()}", "cores": os.cpu_count(),
            "peak_is_of": phases.of,
        }  # fmt: skip

    def _steps(self, name: str, config: TrainingConfig, seed: int, start: Model, phases: "_Phases", split):
        """Takes `steps` real steps from the model `start`. Returns: the parameters after them."""
        batches = batching.BatchConfig(config.rows, start.reverse_source, config.shapes)
        plan = batching.plan_epoch(split.lengths, batches, seed, epoch=0)
        shape = widest_shape(self.text.max_length)
        with phases.timed(f"{name}: compiling"):
            made = make_step(start.config, config, shape, len(plan), seed, start.masks)
        with phases.timed(f"{name}: first state"):
            state = jax.block_until_ready(made.start(start.params))
        for number in range(self.steps):
            batch = batching.make_batch(split, plan[number % len(plan)][1], shape, batches)
            with phases.timed(f"{name}: step {number + 1}"):
                state, metrics = jax.block_until_ready(made.step(state, batch, start.masks))
            tokens, norm = int(metrics["tokens"]), float(metrics["gradient_norm"])
            nll = float(metrics["nll"]) / tokens
            if not math.isfinite(nll) or not math.isfinite(norm):
                raise UserError(f"{name}: step {number + 1} ended in a loss of {nll} and a gradient norm of {norm}")
            phases.say(
                f"{name}: step {number + 1}: {tokens:,} target words, {nll:.4f} nats per word "
                f"(chance: {math.log(self.words):.4f}), gradient norm {norm:.3f}, {phases.rows[-1]['seconds']:.1f} s"
            )
        return state.result


class _Phases:
    """Times phases and watches memory. rows: phase, seconds, peak_bytes of the process."""

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


class CompiledStep(NamedTuple):
    """A training step compiled for one batch shape.

    compiled: the program. state: shapes and dtypes of its state.
    step: (state, batch, masks) -> (state, metrics), by that program. start: params -> the state before the first step.
    """

    compiled: jax.stages.Compiled
    state: Any
    step: Callable
    start: Callable


def widest_shape(max_length: int) -> tuple[int, int]:
    """(S, T) that training pads a pair of the longest sentences to; T has room for EOS."""
    source, target = fit_shapes(np.array([[max_length, max_length + 1]]), most=1)[-1]
    return int(source), int(target)


def make_step(
    config: Seq2SeqConfig, training: TrainingConfig, shape: tuple[int, int], steps_per_epoch: int, seed: int, masks=None
) -> CompiledStep:
    """The training step, compiled for batches of `shape`. No parameters are made: shapes of the state suffice.

    Args:
      config: the model, with its full dropout rates.
      training: the training.
      shape: (S, T) of every batch.
      steps_per_epoch: converts the epochs of `training` to steps.
      seed: of dropout.
      masks: of a pruned model, or None if dense.
    """
    key = jax.random.key(seed)
    made = make_training(objective_named(training.objective)(config, training, masks), training, steps_per_epoch, masks)
    start = partial(made.start, key=jax.random.fold_in(key, 1))
    source, target = (np.zeros((training.rows, width), np.int32) for width in shape)
    batch = batching.Batch(source, target, target, np.zeros(training.rows, np.int32))
    abstract = jax.eval_shape(start, param_shapes(config))
    compiled = made.jitted.lower(abstract, *made.inputs(batch, masks)).compile()
    return CompiledStep(
        compiled, abstract, lambda state, batch, masks: compiled(state, *made.inputs(batch, masks)), start
    )
