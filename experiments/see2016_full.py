"""The full-scale setting of See, Luong & Manning 2016: 216M weights on WMT'14 English-German, pruned 80%, retrained.

    python -m seq2slim run see2016_full --corpus.name text --corpus.train train.en train.de \\
        --corpus.valid newstest2013.en newstest2013.de --corpus.test newstest2014.en newstest2014.de

The files hold the paper's data: 4.5M sentence pairs, tokenised, for the 50,000 most frequent words a side; newstest2013
to validate on, newstest2014 (2,737 sentences) to test. Everything is recipe `see2016`, to the letter: 4 layers of 1000
units, plain SGD on batches of 128, 12 epochs and 4 of retraining, beam 12, unknown words replaced by what they attend
to. BLEU is cased and of the tokens as they are (`--tokenize none` of sacreBLEU).

Cost: the paper's model took 7 to 10 days on a GPU of its time. With `--dry-run` (on any text) nothing is trained:
it prints the plan, the weights of each class, the memory that a device needs and the batch shapes, and then takes three
real steps on the widest shape: 24 GiB of memory are enough, and minutes on two cores.
Expected (the paper's figures): baseline 20.48 BLEU; pruned 80% and retrained 20.91; rows and report are those of
prune80.
"""

import math
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from experiments import prune80
from seq2slim import pruning
from seq2slim.data import batching
from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.shapes import fit_shapes
from seq2slim.models import Seq2Seq, init_params, weight_classes
from seq2slim.pipeline import results
from seq2slim.pipeline.recipes import RECIPES, Recipe
from seq2slim.pipeline.stages import text as texts
from seq2slim.training.learning_rates import learning_rate
from seq2slim.training.loop import total_steps
from seq2slim.training.optimizers import make_optimizer
from seq2slim.training.state import new_state
from seq2slim.training.step import make_train_step

GIB = 2**30


@dataclass(frozen=True)
class Config:
    """What the full-scale run trains, or rehearses.

    Attributes:
      dry_run: print what would be done and what it takes, and take a few real steps; train nothing.
      steps: real steps of the dry run.
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
            raise ValueError(f"steps must be at least 1, got {self.steps}")


def smoke(config: Config) -> Config:
    """The dry run of a tiny model on the toy, whose sentences have at most 8 words."""
    tiny = replace(RECIPES["tiny"], max_length=10)
    return replace(config, dry_run=True, corpus=CorpusConfig("reverse"), settings=tiny)


def main(config: Config, runner):
    """Runs prune80 with the paper's settings, or rehearses it."""
    own = prune80.Config(
        recipe="see2016", settings=config.settings, corpus=config.corpus, tokenize="none", seed=config.seed
    )
    if config.dry_run:
        rehearse(config, prune80.stages(own), runner)
    elif config.corpus.name != "text":
        raise ValueError(
            f"corpus {config.corpus.name!r} is not the paper's text: give --corpus.name text and --corpus.train, "
            "--corpus.valid and --corpus.test, two files each; or --dry-run"
        )
    else:
        prune80.main(own, runner)


def rehearse(config: Config, stages, runner):
    """The dry run: plan, weight classes, batch shapes, memory, and real steps on the widest shape."""
    say, recipe = runner.console.say, config.settings
    models, evaluated, compared = stages
    runner.plan([*models.values(), *evaluated.values(), *compared.values()])
    say("The dry run makes the text alone.")
    text = models["baseline"].text
    (home,) = runner.run(text)
    found = tuple(map(len, texts.vocabularies(home)))
    size = recipe.vocabulary.size
    if found != (size, size):
        say(
            f"The text supports {found[0]:,} and {found[1]:,} words: a run on it would train a model of so many. The "
            f"dry run's is {size:,} words wide on either side, as on the paper's text; the rest are never looked up, "
            "but every logit is computed."
        )
    model = Seq2Seq(recipe.model.build(size, size))
    show_classes(model, runner.console)

    split = texts.tokenised(home)["train"]
    batches = batching.BatchConfig(recipe.training.batch_size, recipe.reverse_source, recipe.training.shapes)
    plan = batching.plan_epoch(split.lengths, batches, config.seed, epoch=0)
    widest = widest_shape(recipe)
    show_shapes(plan, split, batches, runner.console)

    made = make_step(model, recipe, widest, len(plan), config.seed)
    memory = made.compiled.memory_analysis()
    show_memory(made.state, memory, runner.console)
    say(f"\n{config.steps} steps of {batches.batch_size} sentences, all padded to {widest[0]} x {widest[1]}:")
    state, seconds = made.start(), []
    for number in range(config.steps):
        batch = batching.make_batch(split, plan[number % len(plan)][1], widest, batches)
        began = time.monotonic()
        state, metrics = jax.block_until_ready(made.compiled(state, batch, None))
        seconds.append(time.monotonic() - began)
        nll = float(metrics.nll / metrics.tokens)
        if not math.isfinite(nll) or not math.isfinite(metrics.gradient_norm):
            raise ValueError(f"step {number + 1} ended in a loss of {nll} and a gradient of {metrics.gradient_norm}")
        say(
            f"step {number + 1}: {int(metrics.tokens):,} target words, {nll:.4f} nats a word "
            f"(chance: {math.log(size):.4f}), gradient {float(metrics.gradient_norm):.3f}, {seconds[-1]:.1f} s"
        )
    days = np.median(seconds) * total_steps(recipe.training, len(plan)) / 86_400
    say(
        f"peak resident memory of this process: {peak_bytes() / GIB:.2f} GiB; at {np.median(seconds):.1f} s a step of "
        f"the widest shape, {recipe.training.epochs:g} epochs of {len(plan):,} steps take at most {days:.2g} days"
    )


class Step(NamedTuple):
    """A compiled step: compiled(state, batch, None); state: its abstract state; start() makes a real one."""

    compiled: jax.stages.Compiled
    state: object
    start: object


def widest_shape(recipe: Recipe) -> tuple[int, int]:
    """(S, T) that training pads a pair of the longest sentences to; T has room for EOS."""
    source, target = fit_shapes(np.array([[recipe.max_length, recipe.max_length + 1]]), most=1)[-1]
    return int(source), int(target)


def make_step(model: Seq2Seq, recipe: Recipe, shape: tuple[int, int], steps_per_epoch: int, seed: int) -> Step:
    """The training step of the recipe, compiled for batches of `shape` before any array exists."""
    training = recipe.training
    total = total_steps(training, steps_per_epoch)
    rate = learning_rate(training.schedule, training.optimizer.learning_rate, steps_per_epoch, total)
    optimizer = make_optimizer(training.optimizer, rate)
    key = jax.random.key(seed)

    def start():
        params = init_params(model.config, jax.random.fold_in(key, 0))
        return new_state(params, optimizer, jax.random.fold_in(key, 1), training.average_decay > 0)

    rows, words = training.batch_size, partial(jax.ShapeDtypeStruct, dtype=np.int32)
    target = words((rows, shape[1]))
    batch = batching.Batch(words((rows, shape[0])), target, target, words((rows,)))
    abstract = jax.eval_shape(start)
    step = make_train_step(model, optimizer, training, rate)
    return Step(step.lower(abstract, batch, None).compile(), abstract, jax.jit(start))


def show_classes(model: Seq2Seq, console):
    """The exact number of weights of each class, from the shapes alone."""
    shapes = jax.eval_shape(partial(init_params, model.config), jax.random.key(0))
    classes = pruning.classes_by_rules(shapes, weight_classes(model.config))
    sizes = Counter()
    for name, leaf in zip(jax.tree.leaves(classes), jax.tree.leaves(shapes), strict=True):
        sizes[name] += math.prod(leaf.shape)
    rows = [{"class": name, "weights": size} for name, size in sizes.items()]
    rows.append({"class": f"{len(sizes)} classes", "weights": sizes.total()})
    console.show(results.rich_table(rows, {"class": "", "weights": ",d"}, title="weights of each class"))


def show_shapes(plan: batching.Plan, split, batches: batching.BatchConfig, console):
    """The shapes that the batches of the first epoch come in."""
    counts = Counter(shape for shape, _ in plan)
    rows = [{"source": source, "target": target, "steps": steps} for (source, target), steps in sorted(counts.items())]
    title = f"batches of {batches.batch_size}, first epoch: {len(split):,} sentence pairs"
    console.show(results.rich_table(rows, {"source": "", "target": "", "steps": ",d"}, title=title))


def show_memory(state, memory, console):
    """Bytes a device: of the arrays, counted from their shapes; of the step, by the compiler's own analysis."""

    def size(tree):
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)) / GIB

    parts = {
        "parameters (counted)": size(state.params),
        "optimiser state (counted)": size(state.optimizer),
        "moving average (counted)": size(state.average),
        "gradients (counted; part of the step's)": size(state.params),
    }
    if memory is not None:  # some back ends have no analysis
        held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
        parts |= {
            "arguments and results of a step (compiler)": held / GIB,
            "activations and gradients of a step (compiler)": memory.temp_size_in_bytes / GIB,
            "a step altogether (compiler)": (held + memory.temp_size_in_bytes) / GIB,
        }
    rows = [{"memory": name, "GiB": value} for name, value in parts.items()]
    title = f"memory of a device ({jax.default_backend()}), widest shape"
    console.show(results.rich_table(rows, {"memory": "", "GiB": ".2f"}, title=title))


def peak_bytes() -> int:
    """The most memory that this process has had resident so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
