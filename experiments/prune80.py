"""An LSTM translation model loses 80% of its weights and, retrained, little of its BLEU (See, Luong & Manning 2016).

    make experiment EXP=prune80              # the Bible, English to German: about 15 minutes on 2 cores
    make experiment EXP=prune80 SMOKE=1      # a toy language, within a minute
    make experiment EXP=prune80 ARGS="--recipe base --corpus.name text \\
        --corpus.train A.en A.de --corpus.valid B.en B.de --corpus.test C.en C.de"

Rows: the baseline | its control, trained on for as many steps as the pruned model is retrained | pruned 80%
class-blind | retrained.
Expected: pruned falls far below the baseline; retrained comes back to within 0.5 BLEU of it, and 0.5 to 1.1
below its control, which goes on gaining at this scale (experiments/results/prune80/report.md); the paper, with 23 to
36 times the weights, lost nothing.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from experiments import report
from seq2slim.data.corpora import CorpusConfig
from seq2slim.plots.loss_curve import loss_through_pruning
from seq2slim.recipes import RECIPES, Recipe
from seq2slim.runs import results
from seq2slim.runs.stage import differing, identity
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.prune import Prune
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train


@dataclass(frozen=True)
class Config:
    """What prune80 trains and prunes.

    Attributes:
      recipe: where the settings start from.
      settings: model, vocabulary, training, retraining and search; by default those of the recipe.
      corpus: parallel text.
      scheme, sparsity: how much is pruned, and how it is shared among the weight classes.
      splits: what is translated.
      tokenize: sacreBLEU's tokenizer; "none" where the test set is tokenised.
      title: what to call the corpus in the report; by default its name, or where its files lie.
      seed: of the baseline; retraining takes the next one, so that it does not repeat the baseline's batches.
    """

    recipe: Literal["quick", "small", "base", "see2016", "tiny"] = "quick"
    settings: Recipe = RECIPES["quick"]
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    scheme: Literal["class_blind", "class_uniform", "class_distribution"] = "class_blind"
    sparsity: float = 0.8
    splits: tuple[Literal["valid", "test"], ...] = ("test",)
    tokenize: str = "13a"
    title: str = ""
    seed: int = 1


def start(arguments: Sequence[str]) -> Config:
    """The defaults: settings are those of the recipe that the arguments name."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    named = [value for word, value in pairwise(words) if word == "--recipe"][-1:]  # the last counts, as in tyro
    return Config(recipe=named[0], settings=RECIPES[named[0]]) if named and named[0] in RECIPES else Config()


def smoke(config: Config) -> Config:
    """The same on the toy, in seconds."""
    return replace(config, recipe="tiny", settings=RECIPES["tiny"], corpus=CorpusConfig("reverse"))


def main(config: Config, runner):
    """Trains, prunes, retrains and evaluates; writes report, rows and figure."""
    recipe = config.settings
    models, evaluated, compared = stages(config)
    runner.run([*models.values(), *evaluated.values(), *compared.values()])

    common = {"experiment": "prune80", "group": group(config), "seed": config.seed, "command": command(config)}
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
    curves = {label: report.validation_curve(runner, models[label]) for label in ("baseline", "control", "retrained")}
    owner = identity(evaluated["retrained", config.splits[-1]])
    series = {owner: {"validation_loss": {"group": group(config), "sparsity": config.sparsity, **curves}}}
    runner.console.show(results.rich_table(rows[: len(evaluated)], TERMINAL_COLUMNS, title="prune80"))
    runner.console.say(f"BLEU of beam {recipe.search.beam} (and greedy): {rows[0]['signature']}")
    for path in write_report(*report.store(runner, "prune80", rows, series), report.folder(runner, "prune80")):
        runner.console.say(str(path))


def stages(config: Config) -> tuple[dict, dict, dict]:
    """({label: model}, {(label, split): evaluation}, {(label, split): comparison}), all as stages."""
    recipe = config.settings
    text = Text(config.corpus, recipe.vocabulary, recipe.max_length)
    baseline = Train(text, recipe.model, recipe.training, recipe.reverse_source, config.seed)
    pruned = Prune(baseline, config.scheme, config.sparsity)
    control = Retrain(baseline, recipe.retraining, config.seed + 1)
    retrained = Retrain(pruned, recipe.retraining, config.seed + 1)

    models = {
        "baseline": baseline,
        "control": control,
        f"pruned {100 * config.sparsity:g}%": pruned,
        "retrained": retrained,
    }
    evaluated = {
        (label, split): Evaluate(model, split, recipe.search, config.tokenize)
        for split in config.splits
        for label, model in models.items()
    }
    compared = {
        (f"retrained - {label}", split): Compare(evaluated[label, split], evaluated["retrained", split])
        for split in config.splits
        for label in ("baseline", "control")
    }
    return models, evaluated, compared


def group(config: Config) -> str:
    """Names one run of the experiment: rows of the same group replace each other whole."""
    recipe = config.recipe + ("" if config.settings == RECIPES[config.recipe] else " (changed)")
    corpus = report.corpus_name(config.corpus, config.title)
    return f"{corpus}, recipe {recipe}, {100 * config.sparsity:g}% {config.scheme}, seed {config.seed}"


def command(config: Config) -> str:
    """What to type for this run; the paths of a `text` corpus are for whoever types it to fill in."""
    options = [f"--{name} {getattr(config, name)}" for name in ("recipe", "seed", "scheme", "sparsity", "tokenize")]
    options += [f"--splits {' '.join(config.splits)}", *report.typed_corpus(config.corpus)]
    options += report.typed(differing(config.settings, RECIPES[config.recipe]), "--settings.")
    if config.title:
        options.append(f"--title {shlex.quote(config.title)}")
    return f'make experiment EXP=prune80 ARGS="{" ".join(options)}"'


MODEL_COLUMNS = {
    "label": "",
    "split": "",
    "weights": ",d",
    "non_zero": ",d",
    "sparsity": ".1%",
    "perplexity": ".2f",
    "valid_perplexity": ".2f",
    "train_perplexity": ".2f",
    "greedy_bleu": ".2f",
    "beam_bleu": ".2f",
    "seconds": ",.0f",
}
TERMINAL_COLUMNS = {
    name: spec for name, spec in MODEL_COLUMNS.items() if name not in ("valid_perplexity", "train_perplexity")
}
COMPARISON_COLUMNS = {
    "label": "",
    "split": "",
    "baseline_bleu": ".2f",
    "system_bleu": ".2f",
    "difference": "+.2f",
    "p_value": ".3f",
}


def write_report(rows: list[dict], series: dict, folder: Path) -> list[Path]:
    """report.md and the figures, from rows and series alone. Returns: the paths written."""
    groups: dict[str, list[dict]] = {}
    for row in sorted(rows, key=lambda row: row["order"]):
        groups.setdefault(row["group"], []).append(row)
    figures = {}
    for own in series.values():
        curve = own["validation_loss"]
        path = folder / ("loss-" + re.sub(r"[^\w-]+", "-", curve["group"]).strip("-"))
        lines = (curve[label] for label in ("baseline", "retrained", "control"))
        figures[curve["group"]] = loss_through_pruning(*lines, curve["sparsity"], path)
    text = "# prune80\n\n" + __doc__.splitlines()[0] + "\n"
    for name, own in sorted(groups.items()):
        text += _section(name, own, figures.get(name))
    report.write(folder / "report.md", text)
    return [folder / "report.md", *(path for paths in figures.values() for path in paths)]


def _section(name: str, rows: list[dict], figure: list[Path] | None) -> str:
    models = [row for row in rows if "beam_bleu" in row]
    comparisons = [row | {"difference": row["system_bleu"] - row["baseline_bleu"]} for row in rows if "p_value" in row]
    text = f"\n## {name}\n\n{results.table(models, MODEL_COLUMNS)}\n"
    text += f"BLEU: greedy, and beam {models[0]['beam']}; {models[0]['signature']}. "
    text += "Seconds: of the stage that made the model; - where it was interrupted.\n\n"
    for split in dict.fromkeys(row["split"] for row in models):
        bleu = {row["label"]: row["beam_bleu"] for row in models if row["split"] == split}
        pruned = next(label for label in bleu if label.startswith("pruned"))
        better = max(bleu["baseline"], bleu["control"])
        text += (
            f"- {split}: pruned without retraining {bleu[pruned] - bleu['baseline']:+.2f} BLEU against the baseline; "
            f"retrained {bleu['retrained'] - better:+.2f} against the better of baseline and control.\n"
        )
    text += f"\nPaired bootstrap, retrained against each:\n\n{results.table(comparisons, COMPARISON_COLUMNS)}\n"
    if figure:
        text += f"![validation loss]({figure[0].name})\n\n"
    return text + f"Command: `{rows[0]['command']}`\n"
