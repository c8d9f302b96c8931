"""Recipes of translation models: that of See et al. (2016) to the letter, and ours for small machines.

docs/recipes.md has the measurements behind ours.
"""

from dataclasses import asdict
from typing import Literal

from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import ModelOptions, Seq2SeqConfig
from seq2slim.recipes.recipe import Recipe, adam, sgd
from seq2slim.training.config import ScheduleConfig

# Luong et al. 2015 with dropout; See et al. 2016, sec. 4.1 and, retrained, sec. 3.4: rate 0.5, 4 epochs, halved each
# half epoch after 2.
SEE2016 = Recipe(
    model=ModelOptions("see2016"),
    vocabulary=VocabularyConfig("words", 50_000),
    training=sgd(12, 1.0, ScheduleConfig("halving", halve_after=8, halve_every=1), batch_size=128),
    retraining=sgd(
        4, 0.5, ScheduleConfig("halving", halve_after=2, halve_every=0.5), batch_size=128, evaluations_per_epoch=2
    ),
    search=SearchConfig(beam=12, limits="paper", replace_unknown=True),
)

# Ours have a larger vocabulary on the source side: its rare words cost embeddings, which are pruned first, and no time.
# Retraining starts at a higher rate than training did.
_PENALTY = SearchConfig(length_penalty=LengthPenalty("gnmt", 1.0))

# For studies: the paper's architecture and dropout, smaller.
SMALL = Recipe(
    model=ModelOptions("small"),
    vocabulary=VocabularyConfig("unigram", 4000, source_size=8000),
    training=adam(8, 6e-3, 0.98),
    retraining=adam(6, 8e-3, 0.98, dropout_by_density=True),
    search=_PENALTY,
)

# The default of prune80: all of it in about 15 minutes on two slow cores.
QUICK = Recipe(
    model=ModelOptions("small", layers=1),
    vocabulary=VocabularyConfig("unigram", 4000, source_size=12000),
    training=adam(6, 6e-3, 0.98, batch_size=32, shapes=6),
    retraining=adam(4, 1e-2, 0.98, batch_size=32, shapes=6, dropout_scale=1.5),
    max_length=30,
    search=_PENALTY,
)

# Bidirectional, with input feeding and the general score; trained until it converges.
BASE = Recipe(
    model=ModelOptions("base", units=512),
    vocabulary=VocabularyConfig("unigram", 4000, source_size=8000),
    training=adam(15, 3e-3, 0.98),
    retraining=adam(12, 4e-3, 0.98),
    reverse_source=False,
    search=_PENALTY,
)

# For a toy language, in seconds.
TINY = Recipe(
    model=ModelOptions("tiny"),
    vocabulary=VocabularyConfig("words", 20),
    training=adam(6, 1e-2, label_smoothing=0.0, shapes=1),
    retraining=adam(4, 1e-2, label_smoothing=0.0, shapes=1),
)

RECIPES = {"see2016": SEE2016, "base": BASE, "small": SMALL, "quick": QUICK, "tiny": TINY}
RecipeName = Literal[*RECIPES]


def closest_recipe(config: Seq2SeqConfig) -> Recipe:
    """The default recipe for a model: the one whose model has the most options in common with `config`."""

    def shared(recipe: Recipe) -> int:
        own = recipe.model.build(config.source_vocabulary, config.target_vocabulary)
        return sum(asdict(own)[name] == value for name, value in asdict(config).items())

    return max(RECIPES.values(), key=shared)  # the first of equals
