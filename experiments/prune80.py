"""An LSTM translation model loses 80% of its weights and, retrained, little of its BLEU (See, Luong & Manning 2016).

    make experiment EXP=prune80              # the Bible, English to German: about 15 minutes on 2 cores
    make experiment EXP=prune80 SMOKE=1      # a toy language, within a minute
    make experiment EXP=prune80 ARGS="--recipe base --corpus.name text \\
        --corpus.train A.en A.de --corpus.valid B.en B.de --corpus.test C.en C.de"

Rows: the baseline | its control, trained further for as many steps as the pruned model is retrained | pruned 80%
class-blind | retrained. With --method gradual (or iterative) the masks change while the model is trained, in one run of
as many steps as training and retraining take together: pruned on the way | its control, the same run without pruning.
Settings (--recipe quick): LSTM 1 x 256, dot attention, dropout 0.2; vocabulary unigram 12,000 | 4,000, sentences up to
30 tokens, source reversed; training adam 0.006 (cosine) x 6 epochs of batch 32, label smoothing 0.1; retraining adam
0.01 (cosine) x 4 epochs of batch 32, dropout x 1.5, label smoothing 0.1; beam 5, length penalty 1.
Expected: pruned falls far below the baseline; retrained comes back to within 0.5 BLEU of it, and stays 0.5 to
1.3 below its control, which still improves at this scale (experiments/results/prune80/report.md); the paper, with 16
to 36 times the weights, lost nothing.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from experiments import prune80_report, report
from experiments.prune80_report import NAME
from seq2slim.data.corpora import CorpusConfig
from seq2slim.errors import UserError
from seq2slim.pruning import SchemeName
from seq2slim.recipes import RECIPES, Recipe, RecipeName, typed_recipe
from seq2slim.runs import results
from seq2slim.runs.stage import Stage, differing, identity
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.prune import Prune
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.training.config import PruningConfig


@dataclass(frozen=True)
class Config:
    """The options of prune80.

    Attributes:
      recipe: defaults of the settings.
      settings: model, vocabulary, training, retraining and search; by default those of the recipe.
      corpus: parallel text.
      method: `one_shot`: train, prune, retrain; else the schedule of `training.config.PruningConfig` by which the model
        is pruned while it is trained, in one run of as many steps.
      scheme: how the pruned fraction is shared among the weight classes.
      sparsity: fraction pruned.
      splits: splits to translate.
      tokenize: sacreBLEU's tokenizer; "none" where the test set is tokenised.
      title: name of the corpus in the report; by default its own name, or the place of its files.
      seed: of the baseline; retraining takes the next one, so that it does not repeat the baseline's batches.
    """

    recipe: RecipeName = "quick"
    settings: Recipe = RECIPES["quick"]
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    method: Literal["one_shot", "iterative", "gradual"] = "one_shot"
    scheme: SchemeName = "class_blind"
    sparsity: float = 0.8
    splits: tuple[Literal["valid", "test"], ...] = ("test",)
    tokenize: str = "13a"
    title: str = ""
    seed: int = 1


def start(arguments: Sequence[str]) -> Config:
    """The default options, with the settings of the recipe that the arguments name."""
    return Config(**typed_recipe(arguments, RECIPES))


def smoke(config: Config) -> Config:
    """The same on the toy language, in seconds."""
    return replace(config, recipe="tiny", settings=RECIPES["tiny"], corpus=CorpusConfig("reverse"))


def main(config: Config, runner):
    """Trains, prunes, retrains and evaluates; writes report, rows and figure."""
    recipe = config.settings
    models, evaluated, compared = stages(config)
    runner.run([*models.values(), *evaluated.values(), *compared.values()])

    common = {"experiment": NAME, "group": group(config), "seed": config.seed, "command": command(config)}
    if config.method != "one_shot":
        common["beside"] = group(one_shot(config))
    rows = [
        report.result_row(
            runner, stage, **common, order=order, label=label, seconds=report.seconds(runner, models[label])
        )
        for order, ((label, _), stage) in enumerate(evaluated.items())
    ]
    rows += [
        report.result_row(runner, stage, **common, order=len(evaluated) + order, label=label, split=split)
        for order, ((label, split), stage) in enumerate(compared.items())
    ]
    trained = {label: model for label, model in models.items() if not isinstance(model, Prune)}
    curves = {label: report.validation_curve(runner, model) for label, model in trained.items()}
    facts = {"group": group(config), "sparsity": config.sparsity}
    owner = identity(evaluated[list(models)[-1], config.splits[-1]])
    series = {owner: {"validation_loss": {**facts, **curves}}}
    runner.console.show(results.rich_table(rows[: len(evaluated)], prune80_report.TERMINAL_COLUMNS, title=NAME))
    runner.console.say(f"BLEU of beam {recipe.search.beam} (and greedy): {rows[0]['signature']}")
    stored = report.store(runner, NAME, rows, series)
    for path in prune80_report.write(*stored, report.folder(runner, NAME), claim=__doc__.splitlines()[0]):
        runner.console.say(str(path))


def one_shot(config: Config) -> Config:
    """The run of the same settings that trains, prunes and retrains."""
    training = replace(config.settings.training, pruning=PruningConfig())
    return replace(config, method="one_shot", settings=replace(config.settings, training=training))


def stages(config: Config) -> tuple[dict, dict, dict]:
    """The stages: ({label: model}, {(label, split): evaluation}, {(label, split): comparison})."""
    text = Text(config.corpus, config.settings.vocabulary, config.settings.max_length)
    models = trained_pruned_retrained(config, text) if config.method == "one_shot" else pruned_on_the_way(config, text)
    recipe, last = config.settings, list(models)[-1]
    evaluated = {
        (label, split): Evaluate(model, split, recipe.search, config.tokenize)
        for split in config.splits
        for label, model in models.items()
    }
    compared = {
        (f"{last} - {label}", split): Compare(evaluated[label, split], evaluated[last, split])
        for split in config.splits
        for label in models
        if label in ("baseline", "control")
    }
    return models, evaluated, compared


def trained_pruned_retrained(config: Config, text: Text) -> dict[str, Stage]:
    """The models of See et al. 2016: label -> stage."""
    _check_pruning(config)
    recipe = config.settings
    baseline = Train(text, recipe.model, recipe.training, recipe.reverse_source, config.seed)
    pruned = Prune(baseline, config.scheme, config.sparsity)
    return {
        "baseline": baseline,
        "control": Retrain(baseline, recipe.retraining, config.seed + 1),
        f"pruned {100 * config.sparsity:g}%": pruned,
        "retrained": Retrain(pruned, recipe.retraining, config.seed + 1),
    }


def pruned_on_the_way(config: Config, text: Text) -> dict[str, Stage]:
    """A model that is pruned while it is trained, and its dense control: label -> stage.

    Both take as many steps as training and retraining together, at the rates of the training, stretched. Of the
    retraining they take its length, and whether dropout follows the density. `settings.training.pruning` says when.
    Raises: UserError if the steps of the two cannot be added.
    """
    recipe = config.settings
    training, retraining = recipe.training, recipe.retraining
    if training.rows != retraining.rows or training.max_steps or retraining.max_steps:
        raise UserError(
            f"--method {config.method} adds the epochs of training and retraining: give both the same batch size, and "
            "no max_steps"
        )
    _check_pruning(config)
    epochs = training.epochs + retraining.epochs
    schedule, stretch = training.schedule, epochs / training.epochs
    dense = replace(
        training,
        epochs=epochs,
        schedule=replace(
            schedule, halve_after=stretch * schedule.halve_after, halve_every=stretch * schedule.halve_every
        )
        if schedule.kind == "halving"
        else schedule,
        pruning=PruningConfig(),
    )
    when = replace(training.pruning, schedule=config.method, scheme=config.scheme, sparsity=config.sparsity)
    pruned = replace(dense, dropout_by_density=retraining.dropout_by_density, pruning=when)
    return {
        label: Train(text, recipe.model, training, recipe.reverse_source, config.seed)
        for label, training in (("control", dense), (f"{config.method} {100 * config.sparsity:g}%", pruned))
    }


def _check_pruning(config: Config):
    """Raises: UserError if the settings say what the options of the experiment say."""
    for name in ("training", "retraining"):
        pruning, usual = getattr(config.settings, name).pruning, PruningConfig()
        if any(getattr(pruning, own) != getattr(usual, own) for own in ("schedule", "scheme", "sparsity")):
            raise UserError(f"settings.{name}.pruning: give --method, --scheme and --sparsity instead")
    if config.settings.retraining.pruning != PruningConfig():
        raise UserError("settings.retraining.pruning has no effect; give settings.training.pruning")


def group(config: Config) -> str:
    """Name of one run of the experiment: a new run of the same name replaces all rows of the old one."""
    recipe = config.recipe + ("" if config.settings == RECIPES[config.recipe] else " (changed)")
    corpus = report.corpus_name(config.corpus, config.title)
    method = "" if config.method == "one_shot" else f" {config.method}"
    return f"{corpus}, recipe {recipe}, {100 * config.sparsity:g}% {config.scheme}{method}, seed {config.seed}"


def command(config: Config) -> str:
    """The command of this run; the user fills in the paths of a `text` corpus."""
    options = [f"--{name} {getattr(config, name)}" for name in ("recipe", "seed", "scheme", "sparsity", "tokenize")]
    options += [f"--splits {' '.join(config.splits)}", *report.typed_corpus(config.corpus)]
    options += report.typed(differing(config.settings, RECIPES[config.recipe]), "--settings.")
    if config.method != "one_shot":
        options.append(f"--method {config.method}")
    if config.title:
        options.append(f"--title {shlex.quote(config.title)}")
    return f'make experiment EXP={NAME} ARGS="{" ".join(options)}"'
