"""What a recipe holds, and the training that those of ours share."""

from dataclasses import dataclass

from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import ModelOptions
from seq2slim.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig


@dataclass(frozen=True)
class Recipe:
    """How one kind of model is made and made small.

    Attributes:
      model, vocabulary, max_length, reverse_source, training: of the baseline.
      retraining: of the pruned model, and of its dense control.
      search: how both translate.
    """

    model: ModelOptions
    vocabulary: VocabularyConfig
    training: TrainingConfig
    retraining: TrainingConfig
    max_length: int = 50
    reverse_source: bool = True
    search: SearchConfig = SearchConfig()


def adam(epochs: float, rate: float, second_moment: float = 0.999, **changes) -> TrainingConfig:
    """Adam with a warm-up, a cosine to zero and label smoothing: what trains best in little time."""
    usual = dict(
        epochs=epochs,
        optimizer=OptimizerConfig("adam", rate, clip_norm=1.0, normalise="token", second_moment=second_moment),
        schedule=ScheduleConfig("cosine", warmup=0.5),
        label_smoothing=0.1,
        keep="last",
    )
    return TrainingConfig(**(usual | changes))


def sgd(epochs: float, rate: float, schedule: ScheduleConfig, **changes) -> TrainingConfig:
    """Plain SGD on the mean loss of a sentence, the gradient clipped at norm 5: the papers' training."""
    optimizer = OptimizerConfig("sgd", learning_rate=rate, clip_norm=5.0, normalise="sentence")
    return TrainingConfig(epochs=epochs, optimizer=optimizer, schedule=schedule, **changes)
