"""Named recipes of distillation: what goes with a teacher, from its own recipe to the retraining of pruned students."""

import bisect
from dataclasses import dataclass, replace

import jax

from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import ModelOptions, init_params
from seq2slim.recipes.recipe import Recipe, adam, sgd
from seq2slim.recipes.translation import BASE as BASE_TEACHER
from seq2slim.recipes.translation import TINY as TINY_TEACHER
from seq2slim.training.config import ScheduleConfig, TrainingConfig, WordDistillationConfig


@dataclass(frozen=True)
class DistillationRecipe:
    """How a student is made from a teacher (Kim & Rush 2016).

    Students are compared by BLEU on valid, never by perplexity on references: as they learn to say what the teacher
    says, it rises.

    Attributes:
      teacher: its model, training, text and search. Its beam is that of sequence-level distillation.
      student: the small model.
      training: of every student from its seed, on the text or on the teacher's.
      tuning: on the text nearest to the references (Seq-Inter), of students and of the teacher.
      retraining, retuning: of a pruned student, on the teacher's text, then on the text nearest to the references.
      word: share of the teacher's word distributions where they are learnt.
      inter_beam: K of the n-best from which the nearest to the reference is taken.
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
# The paper leaves open how long it tunes and retrains: half an epoch for Seq-Inter ("about half of the training data"),
# and, as in See et al. 2016, 4 epochs for retraining.
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

# Adam's rates, moment and dropout as they were found for small models (`recipes`), a tenth of the rate for Seq-Inter as
# in the paper; but pruned students retrain at a rate above their own and with less dropout, as small does. Six epochs
# at 5e-3 with all of the dropout left one of 80% at 34.93 (greedy, valid), 0.96 below the dense student.
BASE = DistillationRecipe(
    teacher=replace(BASE_TEACHER, model=ModelOptions("base"), training=adam(9, 2e-3)),
    student=ModelOptions("student"),
    training=adam(10, 5e-3, 0.98, metric="valid_bleu", keep="best"),
    tuning=adam(2, 5e-4, 0.98, metric="valid_bleu", keep="best", evaluations_per_epoch=2),
    retraining=adam(8, 7e-3, 0.98, metric="valid_bleu", keep="best", dropout_by_density=True),
    retuning=adam(2, 5e-4, 0.98, metric="valid_bleu", keep="best", evaluations_per_epoch=2, dropout_by_density=True),
    inter_beam=10,  # on two cores 35, as in the paper, would decode for more than an hour
)

_KEY = jax.eval_shape(lambda: jax.random.key(0))
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


def weights_of(options: ModelOptions, vocabulary: VocabularyConfig) -> int:
    """Number of parameters of a model with as many words a side as are asked for; a text may support fewer."""
    config = options.build(vocabulary.source_size or vocabulary.size, vocabulary.size)
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(lambda key: init_params(config, key), _KEY)))


def equal_size(options: ModelOptions, weights: int, vocabulary: VocabularyConfig) -> ModelOptions:
    """The model of `options` at the even width with the most parameters up to `weights`; embeddings as wide."""

    def sized(half: int) -> ModelOptions:
        return replace(options, units=2 * half, embedding=None)

    halves = range(1, 4096)
    too_large = bisect.bisect_left(halves, True, key=lambda half: weights_of(sized(half), vocabulary) > weights)
    return sized(max(1, too_large))  # the last that is not: halves[too_large] - 1
