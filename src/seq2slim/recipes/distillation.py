"""Recipes of distillation: a teacher, its students, and the retraining of pruned students."""

import bisect
from dataclasses import dataclass, replace
from typing import Literal

import jax

from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import ModelOptions, param_shapes
from seq2slim.recipes.recipe import Recipe, adam, sgd
from seq2slim.recipes.translation import BASE as BASE_TEACHER
from seq2slim.recipes.translation import TINY as TINY_TEACHER
from seq2slim.training.config import ScheduleConfig, TrainingConfig, WordDistillationConfig


@dataclass(frozen=True)
class DistillationRecipe:
    """Settings of a teacher and its students (Kim & Rush 2016).

    Students are compared by BLEU on valid, not by perplexity on references, which rises as they learn the teacher's
    translations.

    Attributes:
      teacher: model, vocabulary, training and search of the teacher. Its beam is that of Seq-KD.
      student: the small model.
      training: of every student from its seed, on the text or on the teacher's translations (Seq-KD).
      tuning: of students and teacher on the translations nearest to the references (Seq-Inter).
      retraining, retuning: of a pruned student, on Seq-KD and then on Seq-Inter.
      word: weight of the teacher's word distributions (Word-KD).
      inter_beam: size K of the n-best list of which Seq-Inter takes the nearest to the reference.
    """

    teacher: Recipe
    student: ModelOptions
    training: TrainingConfig
    tuning: TrainingConfig
    retraining: TrainingConfig
    retuning: TrainingConfig
    word: WordDistillationConfig = WordDistillationConfig()
    inter_beam: int = 35


# Rate 1 halved each epoch past the 9th of 13, Seq-Inter at 0.1, pruned students at 0.2 and 0.1; alpha 0.5, K 5 and 35.
# The paper does not say how long it tunes and retrains: here half an epoch for Seq-Inter ("about half of the training
# data"), and 4 epochs for retraining, as in See et al. 2016.
KIM2016 = DistillationRecipe(
    teacher=Recipe(
        model=ModelOptions("kim2016_teacher"),
        vocabulary=VocabularyConfig("words", 50_004),
        training=sgd(13, 1.0, ScheduleConfig("halving", halve_after=9)),
        retraining=sgd(4, 0.5, ScheduleConfig("halving", halve_after=2, halve_every=0.5), metric="valid_bleu"),
        search=SearchConfig(beam=5),
    ),
    student=ModelOptions("kim2016_student"),
    training=sgd(13, 1.0, ScheduleConfig("halving", halve_after=9), metric="valid_bleu"),
    tuning=sgd(0.5, 0.1, ScheduleConfig("constant"), metric="valid_bleu"),
    retraining=sgd(4, 0.2, ScheduleConfig("halving", halve_after=2, halve_every=0.5), metric="valid_bleu"),
    retuning=sgd(0.5, 0.1, ScheduleConfig("constant"), metric="valid_bleu"),
)

# Adam in place of SGD, a tenth of the rate for Seq-Inter as in the paper; docs/recipes.md has the measurements.
BASE = DistillationRecipe(
    teacher=replace(BASE_TEACHER, model=ModelOptions("base"), training=adam(9, 2e-3)),
    student=ModelOptions("student"),
    training=adam(10, 5e-3, 0.98, metric="valid_bleu", keep="best"),
    tuning=adam(2, 5e-4, 0.98, metric="valid_bleu", keep="best", evaluations_per_epoch=2),
    retraining=adam(8, 7e-3, 0.98, metric="valid_bleu", keep="best", dropout_by_density=True),
    retuning=adam(2, 5e-4, 0.98, metric="valid_bleu", keep="best", evaluations_per_epoch=2, dropout_by_density=True),
    inter_beam=10,  # the paper's 35 would decode for more than an hour on two cores
)

_toy = dict(metric="valid_bleu", keep="best", label_smoothing=0.0, shapes=1)
TINY = DistillationRecipe(
    teacher=replace(TINY_TEACHER, model=ModelOptions("tiny", units=64)),
    student=ModelOptions("tiny", units=32),
    training=adam(5, 2e-2, **_toy),
    tuning=adam(1, 1e-3, **_toy),
    retraining=adam(1, 2e-3, **_toy),
    retuning=adam(1, 1e-3, **_toy),
    inter_beam=8,
)

DISTILLATION_RECIPES = {"kim2016": KIM2016, "base": BASE, "tiny": TINY}
DistillationRecipeName = Literal[*DISTILLATION_RECIPES]


def weights_of(options: ModelOptions, vocabulary: VocabularyConfig) -> int:
    """Number of parameters of a model with the full vocabulary; a small text gives a smaller one."""
    config = options.build(vocabulary.source_size or vocabulary.size, vocabulary.size)
    return sum(leaf.size for leaf in jax.tree.leaves(param_shapes(config)))


def equal_size(options: ModelOptions, weights: int, vocabulary: VocabularyConfig) -> ModelOptions:
    """`options` at the largest even width with at most `weights` parameters; embeddings have the same width."""

    def sized(half: int) -> ModelOptions:
        return replace(options, units=2 * half, embedding=None)

    halves = range(1, 4096)
    too_large = bisect.bisect_left(halves, True, key=lambda half: weights_of(sized(half), vocabulary) > weights)
    return sized(max(1, too_large))  # the last that fits: halves[too_large] - 1
