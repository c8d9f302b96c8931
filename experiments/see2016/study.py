"""The pruning study of See, Luong & Manning (2016): its options, and its models by name.

An experiment of the study is a module with `entries(config, seed) -> list[Entry]`: its rows for one seed. The module of
the same name in sections/ draws and writes them. All experiments share their stages, and one folder of rows and series,
results/see2016.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple

from experiments import report
from seq2slim.data.corpora import CorpusConfig
from seq2slim.errors import UserError
from seq2slim.models import ModelOptions
from seq2slim.pruning import SchemeName
from seq2slim.recipes import RECIPES, Recipe, RecipeName, adam, typed_recipe
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import Stage, differing
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.prune import Prune
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train

NAME = "see2016"
PAPER_SCHEMES: tuple[SchemeName, ...] = ("class_blind", "class_uniform", "class_distribution")  # the paper's
SHOWN_SCHEMES: tuple[SchemeName, ...] = (*PAPER_SCHEMES, "random")
READ_BACK = "read back - retrained"  # `model` of the rows that compare what a codec leaves of a model
FRESH = 100  # added to a baseline's seed for models trained from new random weights
TAKES_PUBLISHED_ROWS = True


@dataclass(frozen=True)
class Config:
    """The options of every experiment of the study.

    Attributes:
      recipe: defaults of the settings.
      settings: model, vocabulary, training, retraining and search; by default those of the recipe.
      corpus: parallel text of the study.
      title: name of that corpus in the report; by default its own name, or the place of its files.
      tokenize: sacreBLEU's tokenizer; "none" where the test set is tokenised.
      split: split to translate.
      seeds: of the baselines. The first has every row, the others the headline rows; retraining takes the next number,
        so that it does not repeat the baseline's batches.
      curve: sparsities pruned without retraining, first seed.
      repeated: sparsities pruned and retrained, every seed.
      once: sparsities retrained for the first seed only.
      headline: a second corpus on which the first seed of the rows at 80 and 90% is repeated.
      small: corpus of the small model without attention (See et al. 2016, sec. 5).
      paper: recipe of the model that is stored and timed at full size, but not trained.
    """

    recipe: RecipeName = "small"
    settings: Recipe = RECIPES["small"]
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    title: str = ""
    tokenize: str = "13a"
    split: Literal["valid", "test"] = "test"
    seeds: tuple[int, ...] = (1, 2, 3)
    curve: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    repeated: tuple[float, ...] = (0.4, 0.6, 0.8, 0.9)
    once: tuple[float, ...] = (0.5,)
    headline: CorpusConfig = field(default_factory=CorpusConfig)
    small: CorpusConfig = field(default_factory=lambda: CorpusConfig("bible-en-fr"))
    paper: Literal["see2016", "tiny"] = "see2016"

    def __post_init__(self):
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise UserError(f"seeds must be different numbers, at least one; got {self.seeds}")
        for name in ("curve", "repeated", "once"):
            if list(values := getattr(self, name)) != sorted(set(values)) or not all(0 < x < 1 for x in values):
                raise UserError(f"{name} must be ascending fractions between 0 and 1, got {values}")

    @property
    def study(self) -> str:
        """Name of one study: rows are compared only within a study."""
        recipe = self.recipe + ("" if self.settings == RECIPES[self.recipe] else " (changed)")
        tokenized = "" if self.tokenize == "13a" else f", tokenize {self.tokenize}"
        return f"{report.corpus_name(self.corpus, self.title)}, recipe {recipe}, {self.split}{tokenized}"

    @property
    def command(self) -> str:
        """The command of this study; the user fills in the paths of a `text` corpus."""
        options = [f"--recipe {self.recipe}", f"--seeds {' '.join(map(str, self.seeds))}", f"--split {self.split}"]
        options += [f"--tokenize {self.tokenize}", *report.typed_corpus(self.corpus)]
        options += report.typed(differing(self.settings, RECIPES[self.recipe]), "--settings.")
        for name in ("curve", "repeated", "once"):
            if (values := getattr(self, name)) != getattr(type(self), name):
                options.append(f"--{name} {' '.join(map(str, values))}")
        for name, usual in (("headline", "bible-en-de"), ("small", "bible-en-fr")):
            if (corpus := getattr(self, name)) != CorpusConfig(usual):
                options += report.typed_corpus(corpus, name)
        if self.paper != type(self).paper:
            options.append(f"--paper {self.paper}")
        if self.title:
            options.append(f"--title {shlex.quote(self.title)}")
        return f'make experiment EXP={NAME} ARGS="{" ".join(options)}"'

    def is_first(self, seed: int) -> bool:
        """Whether `seed` has every row."""
        return seed == self.seeds[0]


def start(arguments: Sequence[str], config: Config = Config()) -> Config:
    """The default options, with the settings of the recipe that the arguments name."""
    return replace(config, **typed_recipe(arguments, RECIPES))


def smoke(config: Config) -> Config:
    """Every experiment on the toy, two seeds, in about two minutes."""
    tiny = RECIPES["tiny"]
    short = replace(
        tiny,
        training=adam(3, 2e-2, label_smoothing=0.0, shapes=1),
        retraining=adam(2, 2e-2, label_smoothing=0.0, shapes=1),
        search=replace(tiny.search, beam=2),
    )
    toy = CorpusConfig("reverse")
    return replace(
        config, recipe="tiny", settings=short, corpus=toy, headline=toy, small=toy, seeds=(1, 2),
        curve=(0.2, 0.4, 0.8, 0.9), repeated=(0.8, 0.9), once=(0.5,),
        paper="tiny",
    )  # fmt: skip


class Models:
    """The models of one seed on one corpus, by their names in the report."""

    def __init__(
        self, config: Config, seed: int, corpus: CorpusConfig | None = None, model: ModelOptions | None = None
    ):
        self.recipe = config.settings
        self.seed, self.split, self.tokenize = seed, config.split, config.tokenize
        self.text = Text(corpus or config.corpus, self.recipe.vocabulary, self.recipe.max_length)
        self.model = model or self.recipe.model

    @cached_property
    def baseline(self) -> Train:
        """Dense, trained from its seed."""
        return self._trained(self.seed)

    @cached_property
    def control(self) -> Retrain:
        """Dense, trained further for as many steps as a pruned model is retrained."""
        return Retrain(self.baseline, self.recipe.retraining, self.seed + 1)

    def pruned(self, sparsity: float, scheme: str = "class_blind", **options) -> Prune:
        """The baseline pruned."""
        return Prune(self.baseline, scheme, sparsity, **options)

    def retrained(self, sparsity: float) -> Retrain:
        """Pruned class-blind and retrained."""
        return Retrain(self.pruned(sparsity), self.recipe.retraining, self.seed + 1)

    def sparse(self, sparsity: float) -> Train:
        """Trained from the beginning under the masks of the pruned model, from new random weights."""
        return self._trained(self.seed + FRESH, self.pruned(sparsity))

    def ticket(self, sparsity: float) -> Train:
        """Trained from the beginning under the masks of the pruned model, from the initial weights of its baseline."""
        return self._trained(self.seed, self.pruned(sparsity))

    def shuffled(self, sparsity: float) -> Train:
        """As `sparse`, with the masks shuffled within each class."""
        return self._trained(self.seed + FRESH, self.pruned(sparsity, shuffled=True))

    def evaluate(self, model: Stage, split: str | None = None) -> Evaluate:
        """Perplexities and BLEU of a model."""
        return Evaluate(model, split or self.split, self.recipe.search, self.tokenize)

    def _trained(self, seed: int, masks: Stage | None = None) -> Train:
        recipe = self.recipe
        return Train(self.text, self.model, recipe.training, recipe.reverse_source, seed, masks)


class Entry(NamedTuple):
    """One row of an experiment.

    Attributes:
      stage: its result and identity become those of the row.
      columns: what the row shows: `model`, and where they apply `part`, `scheme`, `percent`, ...
      more: runner -> further columns, read from finished stages.
      series: runner -> {name: values}; None for a row without series.
    """

    stage: Stage
    columns: dict
    more: Callable[[Runner], dict] = lambda runner: {}
    series: Callable[[Runner], dict] | None = None


def percent(sparsity: float) -> float:
    """The sparsity of a row in percent, rounded so that equal sparsities give equal numbers."""
    return round(100 * sparsity, 6)


def model_entry(models: Models, name: str, stage: Stage, sparsity: float = 0.0, split=None, **columns) -> Entry:
    """The row of one evaluated model, with the training time in seconds."""
    columns = {"part": "main", "model": name, "percent": percent(sparsity), **columns}
    return Entry(models.evaluate(stage, split), columns, lambda runner: {"seconds": report.seconds(runner, stage)})


def compared(models: Models, sparsity: float, split=None, **columns) -> list[Entry]:
    """Rows of the paired bootstrap of a retrained model against baseline and control."""
    system = models.evaluate(models.retrained(sparsity), split)
    return [
        Entry(
            Compare(models.evaluate(stage, split), system),
            {"part": "main", "model": f"retrained - {name}", "percent": percent(sparsity), **columns},
        )
        for name, stage in (("baseline", models.baseline), ("control", models.control))
    ]
