"""The dataclass of a translation recipe, and the two kinds of training that recipes use."""

from dataclasses import dataclass

from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import ModelOptions
from seq2slim.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig


@dataclass(frozen=True)
class Recipe:
    """Settings of a translation model, its training, and the retraining after pruning.

    Attributes:
      model, vocabulary, max_length, reverse_source, training: of the baseline.
      retraining: of the pruned model, and of its dense control.
      search: of all translations.
    """

    model: ModelOptions
    vocabulary: VocabularyConfig
    training: TrainingConfig
    retraining: TrainingConfig
    max_length: int = 50
    reverse_source: bool = True
    search: SearchConfig = SearchConfig()


def adam(epochs: float, rate: float, second_moment: float = 0.999, **changes) -> TrainingConfig:
    """Adam with a linear warm-up, a cosine to zero and label smoothing: the best found for short trainings."""
    usual = dict(
        epochs=epochs,
        optimizer=OptimizerConfig("adam", rate, clip_norm=1.0, normalise="token", second_moment=second_moment),
        schedule=ScheduleConfig("cosine", warmup=0.5),
        label_smoothing=0.1,
        keep="last",
    )
    return TrainingConfig(**(usual | changes))


def sgd(epochs: float, rate: float, schedule: ScheduleConfig, **changes) -> TrainingConfig:
    """The papers' training: plain SGD on the mean loss per sentence, the gradient clipped at norm 5."""
    optimizer = OptimizerConfig("sgd", learning_rate=rate, clip_norm=5.0, normalise="sentence")
    return TrainingConfig(epochs=epochs, optimizer=optimizer, schedule=schedule, **changes)
