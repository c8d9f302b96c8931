"""Training a model from its seed, and retraining: of a pruned model, or of its dense control."""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import jax

from seq2slim import pruning
from seq2slim.data import batching
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.errors import UserError
from seq2slim.evaluation.perplexity import model_perplexity
from seq2slim.evaluation.translate import translate
from seq2slim.inference import text_files
from seq2slim.inference.model_files import Model, load_model, save_model
from seq2slim.inference.search import make_search
from seq2slim.models import ModelOptions, Seq2SeqConfig, init_params, weight_classes
from seq2slim.runs.stage import Stage, differing, run_name
from seq2slim.stages.objective import check_objective, make_objective
from seq2slim.stages.text import Text
from seq2slim.tasks import task_named
from seq2slim.tasks.task import VALID, VALID_LOSS
from seq2slim.training.config import TrainingConfig, WordDistillationConfig, total_steps
from seq2slim.training.loop import Run, fit
from seq2slim.training.mask_schedule import mask_schedule
from seq2slim.training.step import make_training


@dataclass(frozen=True)
class Train(Stage):
    """A model trained from its seed.

    Attributes:
      text: the training text.
      model: the architecture.
      training: optimiser, schedule, epochs, ...
      reverse_source: whether the encoder reads the source backwards (Luong et al. 2015).
      seed: of initialisation, batches and dropout.
      masks: a pruned model of the same architecture; its masks hold from the first step on: "sparse from the
        beginning" (See et al. 2016, sec. 4.3). With the seed of that model's baseline, the surviving weights start
        at the baseline's initial values: a lottery ticket (Frankle & Carbin 2019).
      teachers, word: word-level distillation: its teachers (see `stages.objective.make_objective`), its weight and
        temperature.
    """

    kind: ClassVar[str] = "train"
    text: Text
    model: ModelOptions = ModelOptions()
    training: TrainingConfig = TrainingConfig()
    reverse_source: bool = True
    seed: int = 1
    masks: Stage | None = None
    teachers: tuple[Stage, ...] = ()
    word: WordDistillationConfig = WordDistillationConfig()

    def __post_init__(self):
        _check(self)

    def describe(self) -> str:
        return super().describe() + (f", under the masks of {run_name(self.masks)}" if self.masks else "")

    def content_hash(self) -> str:
        """The numbers of the model's preset: its name alone would not show that they changed."""
        return json.dumps(differing(self.model.build(1, 1)), sort_keys=True)

    def run(self, run_dir: Path, context) -> dict:
        source, target = text_files.vocabularies(context.run_dir(self.text))
        config = self.model.build(len(source), len(target))
        params = fresh_params(config, self.seed)
        model = Model(config, params, None, self.reverse_source, self.text.task)
        if self.masks is not None:
            masks = load_model(context.run_dir(self.masks), context.say, context.run_dir(self.text)).masks
            if masks is None:
                raise UserError(f"masks must be of a pruned model; {run_name(self.masks)} is dense")
            model = model._replace(params=pruning.apply_masks(params, masks), masks=masks)
        return _train(self, model, run_dir, context)


@dataclass(frozen=True)
class Retrain(Stage):
    """A model trained further from the parameters of its parent, under the parent's masks if it is pruned.

    With a pruned parent this is the sparse retraining of See et al. 2016 (sec. 3.4); with a dense one, its control; on
    another text, fine-tuning (sequence-level interpolation: Kim & Rush 2016, sec. 3.3).

    Attributes:
      parent: Train, Prune or Retrain.
      training: optimiser, schedule, epochs, ...
      seed: of batches and dropout.
      on: the training text, in the parent's vocabularies; None: the parent's text.
      teachers, word: as in `Train`.
    """

    kind: ClassVar[str] = "retrain"
    parent: Stage
    training: TrainingConfig = TrainingConfig()
    seed: int = 1
    on: Stage | None = None
    teachers: tuple[Stage, ...] = ()
    word: WordDistillationConfig = WordDistillationConfig()

    def __post_init__(self):
        _check(self)
        if (own := self.text.task) != (learnt := self.parent.text.task):
            raise UserError(f"{run_name(self.parent)} has learnt {learnt}; the text to retrain it on is for {own}")

    @property
    def text(self) -> Text:
        """The training text."""
        return self.on or self.parent.text

    def describe(self) -> str:
        on = f" on {run_name(self.on)}" if self.on else ""
        return f"{run_name(self.parent)} for {self.training.epochs:g} epochs{on}"

    def run(self, run_dir: Path, context) -> dict:
        model = load_model(context.run_dir(self.parent), context.say, context.run_dir(self.text))
        return _train(self, model, run_dir, context)


def _check(stage: Train | Retrain):
    """Raises: UserError for an unknown metric or objective, or teachers that do not fit."""
    task_named(stage.text.task).higher_is_better(stage.training.metric)
    check_objective(stage)


def fresh_params(config: Seq2SeqConfig, seed: int):
    """The initial parameters of a model, from its seed alone."""
    return jax.jit(partial(init_params, config))(jax.random.fold_in(jax.random.key(seed), 0))


def _validation(stage: Train | Retrain, model: Model, split, batches: batching.BatchConfig, text_dir: Path):
    """params -> valid_loss (nats per target token), valid_perplexity and, if it is the metric, a score (greedy)."""
    task, score = task_named(stage.text.task), stage.training.metric.removeprefix(VALID)
    scored = stage.training.metric != VALID_LOSS
    references = stage.text.lines("valid", 1) if scored else None
    vocabularies = text_files.vocabularies(text_dir)
    constraint = task.constraint(*vocabularies)

    def evaluate(params) -> dict[str, float]:
        found = model_perplexity(model.config, params, split, batches)
        values = {VALID_LOSS: found.nll / found.tokens, "valid_perplexity": found.perplexity}
        if scored:
            search = make_search(model._replace(params=params), SearchConfig(beam=1), constraint=constraint)
            ordered = batching.evaluation_batches(split, batches, targets=False)
            lines = translate(search, ordered, vocabularies[1], len(references), to_text=task.text)
            values[VALID + score] = task.scores(lines, references).values[score]
        return values

    return evaluate


def _train(stage: Train | Retrain, model: Model, run_dir: Path, context) -> dict:
    """Trains `model` to the end and writes the result as the stage's model."""
    config = stage.training
    text_dir = context.run_dir(stage.text)
    corpus = text_files.tokenised(text_dir)
    batches = batching.BatchConfig(config.rows, model.reverse_source, config.shapes)
    in_memory = replace(batches, batch_size=config.batch_size)  # of a step, and so of a validation
    steps_per_epoch = batching.steps_per_epoch(len(corpus["train"]), batches)
    classes = pruning.classes_by_rules(model.params, weight_classes(model.config))
    key = jax.random.key(stage.seed)
    masks = model.masks
    if masks is None and config.pruning.schedule != "none":
        masks = pruning.all_true(model.params, classes)
    schedule = mask_schedule(
        config.pruning,
        total_steps(config, steps_per_epoch),
        classes,
        key=jax.random.fold_in(key, 2),
        initial=0.0 if masks is None else pruning.count(masks).sparsity,
    )
    objective = make_objective(stage, model, context)
    training = make_training(objective, config, steps_per_epoch, masks)
    run = Run(
        step=training.step,
        batches=partial(batching.train_batches, corpus["train"], batches, stage.seed),
        evaluate=_validation(stage, model, corpus["valid"], in_memory, text_dir),
        steps_per_epoch=steps_per_epoch,
        config=config,
        masks=masks,
        schedule=schedule,
        higher_is_better=task_named(stage.text.task).higher_is_better(config.metric),
        report=objective.report,
        progress=objective.progress,
    )
    params, masks, steps = fit(run, training.start(model.params, jax.random.fold_in(key, 1)), run_dir, context)
    save_model(run_dir, model._replace(params=params, masks=masks), text_dir)
    return {"steps": steps, "weights": sum(leaf.size for leaf in jax.tree.leaves(params))}
