"""The full-scale setting of See, Luong & Manning 2016: 216M weights on WMT'14 English-German, pruned 80%, retrained.

    python -m seq2slim run see2016_full --corpus.name text --corpus.train train.en train.de \\
        --corpus.valid newstest2013.en newstest2013.de --corpus.test newstest2014.en newstest2014.de

The files have the paper's data: 4.5M tokenised sentence pairs; newstest2013 to validate on, newstest2014 (2,737
sentences) to test. BLEU is cased, of the tokens in the files (sacreBLEU's `--tokenize none`); an unknown word is
replaced by the source word with the most attention.
Settings (recipe see2016): LSTM 4 x 1000, dot attention, dropout 0.2; vocabulary words 50,000, sentences up to 50
tokens, source reversed; training sgd 1 (halving after 8 epochs) x 12 epochs of batch 128; retraining sgd 0.5 (halving
after 2 epochs) x 4 epochs of batch 128; beam 12.
Cost: the paper's model took 7 to 10 days on a GPU of its time. With `--dry-run` (on any text) nothing is trained:
it prints the plan, the weights of each class, the memory that a device needs and the batch shapes, then takes three
real steps on the widest shape, prunes 80% by each scheme, takes three steps of retraining, exports and reloads: within
24 GiB of memory, in minutes on two cores.
Expected (the paper's figures): baseline 20.48 BLEU; pruned 80% and retrained 20.91; rows and report are those of
prune80.
"""

import math
from collections import Counter
from dataclasses import dataclass, field, replace

import jax
import numpy as np

from experiments import prune80
from experiments.see2016.sections import full_size
from seq2slim import pruning
from seq2slim.data import batching
from seq2slim.data.corpora import CorpusConfig
from seq2slim.errors import UserError
from seq2slim.inference import text_files
from seq2slim.models import Seq2Seq, param_shapes, weight_classes
from seq2slim.recipes import RECIPES, Recipe
from seq2slim.runs import results
from seq2slim.runs.memory import GIB
from seq2slim.runs.records import read_series
from seq2slim.stages.dry_run import DryRun, make_step, widest_shape
from seq2slim.training.loop import total_steps


@dataclass(frozen=True)
class Config:
    """The options of the full-scale run and its dry run.

    Attributes:
      dry_run: print the plan and its cost, and take a few real steps; train nothing.
      steps: real steps of the dry run, of training and of retraining.
      corpus: parallel text: `text` and six paths.
      settings: model, vocabulary, training, retraining and search: the paper's.
      seed: of the baseline.
    """

    dry_run: bool = False
    steps: int = 3
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    settings: Recipe = RECIPES["see2016"]
    seed: int = 1

    def __post_init__(self):
        if self.steps < 1:
            raise UserError(f"steps must be at least 1, got {self.steps}")


def smoke(config: Config) -> Config:
    """The dry run of a tiny model on the toy, whose sentences have at most 8 words."""
    tiny = replace(RECIPES["tiny"], max_length=10)
    return replace(config, dry_run=True, corpus=CorpusConfig("reverse"), settings=tiny)


def main(config: Config, runner):
    """Runs prune80 with the paper's settings, or a dry run of it."""
    own = prune80.Config(
        recipe="see2016", settings=config.settings, corpus=config.corpus, tokenize="none", seed=config.seed
    )
    if config.dry_run:
        dry_run(config, prune80.stages(own), runner)
    elif config.corpus.name != "text":
        raise UserError(
            f"corpus {config.corpus.name!r} is not the paper's text: give --corpus.name text and --corpus.train, "
            "--corpus.valid and --corpus.test, two files each; or --dry-run"
        )
    else:
        prune80.main(own, runner)


def dry_run(config: Config, stages, runner):
    """Prints plan, weight classes, batch shapes and memory; then takes the real steps, prunes, retrains and exports."""
    say, recipe = runner.console.say, config.settings
    models, evaluated, compared = stages
    runner.plan([*models.values(), *evaluated.values(), *compared.values()])
    say("Of these the dry run makes only the text; then it takes each phase once.")
    text = models["baseline"].text
    (run_dir,) = runner.run(text)
    found = tuple(map(len, text_files.vocabularies(run_dir)))
    size = recipe.vocabulary.size
    if found != (size, size):
        say(
            f"The text supports {found[0]:,} and {found[1]:,} words: a run on it would train a model of that size. The "
            f"dry run's has {size:,} words on either side, as on the paper's text; the others are never looked up, "
            "but every logit is computed."
        )
    model = Seq2Seq(recipe.model.build(size, size))
    show_classes(model, runner.console)

    split = text_files.tokenised(run_dir)["train"]
    batches = batching.BatchConfig(recipe.training.rows, recipe.reverse_source, recipe.training.shapes)
    plan = batching.plan_epoch(split.lengths, batches, config.seed, epoch=0)
    widest = widest_shape(recipe.max_length)
    show_shapes(plan, split, batches, runner.console)
    made = make_step(model.config, recipe.training, widest, len(plan), config.seed)
    show_memory(made.state, made.compiled.memory_analysis(), runner.console)

    say(f"\nBatches of {batches.batch_size} sentences, all padded to {widest[0]} x {widest[1]}:")
    stage = DryRun(
        text, recipe.model, size, recipe.training, recipe.retraining, recipe.reverse_source, steps=config.steps,
        seed=config.seed,
    )  # fmt: skip
    if runner.is_finished(stage):
        say(f"This dry run is already finished; to measure it again, remove {runner.run_dir(stage)}.")
    (run_dir,) = runner.run(stage)
    phases = read_series(run_dir)["phases"]
    title = f"phases, and peak memory of {runner.result(stage)['peak_is_of']}"
    runner.console.show(results.rich_table(full_size.phase_lines(phases), full_size.PHASE_COLUMNS, title=title))
    seconds = np.median([line["seconds"] for line in phases if line["phase"].startswith("training: step")])
    days = seconds * total_steps(recipe.training, len(plan)) / 86_400
    peak = max(line["peak_bytes"] for line in phases) / GIB
    say(
        f"peak resident memory: {peak:.2f} GiB; at {seconds:.1f} s per step of the widest shape, "
        f"{recipe.training.epochs:g} epochs of {len(plan):,} steps take at most {days:.2g} days"
    )


def show_classes(model: Seq2Seq, console):
    """Prints the number of weights of each class, computed from the shapes."""
    shapes = param_shapes(model.config)
    classes = pruning.classes_by_rules(shapes, weight_classes(model.config))
    sizes = Counter()
    for name, leaf in zip(jax.tree.leaves(classes), jax.tree.leaves(shapes), strict=True):
        sizes[name] += math.prod(leaf.shape)
    rows = [{"class": name, "weights": size} for name, size in sizes.items()]
    rows.append({"class": f"{len(sizes)} classes", "weights": sizes.total()})
    console.show(results.rich_table(rows, {"class": "", "weights": ",d"}, title="weights of each class"))


def show_shapes(plan: batching.Plan, split, batches: batching.BatchConfig, console):
    """Prints the batch shapes of the first epoch."""
    counts = Counter(shape for shape, _ in plan)
    rows = [{"source": source, "target": target, "steps": steps} for (source, target), steps in sorted(counts.items())]
    title = f"batches of {batches.batch_size}, first epoch: {len(split):,} sentence pairs"
    console.show(results.rich_table(rows, {"source": "", "target": "", "steps": ",d"}, title=title))


def show_memory(state, memory, console):
    """Prints GiB per device: of the arrays, from their shapes; of a step, from the compiler's analysis."""

    def size(tree):
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)) / GIB

    parts = {
        "parameters (counted)": size(state.params),
        "optimiser state (counted)": size(state.optimizer),
        "moving average (counted)": size(state.average),
        "gradients (counted; part of the step's)": size(state.params),
    }
    if memory is not None:  # some backends have no analysis
        held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
        parts |= {
            "arguments and results of a step (compiler)": held / GIB,
            "activations and gradients of a step (compiler)": memory.temp_size_in_bytes / GIB,
            "a step altogether (compiler)": (held + memory.temp_size_in_bytes) / GIB,
        }
    rows = [{"memory": name, "GiB": value} for name, value in parts.items()]
    title = f"memory of a device ({jax.default_backend()}), widest shape"
    console.show(results.rich_table(rows, {"memory": "", "GiB": ".2f"}, title=title))
