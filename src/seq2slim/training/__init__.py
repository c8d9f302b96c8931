"""Training a model: the step, the loop around it, checkpoints and metrics. It reads no corpus."""

from seq2slim.training.checkpoints import Checkpoints
from seq2slim.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig
from seq2slim.training.learning_rates import learning_rate
from seq2slim.training.loop import Run, fit
from seq2slim.training.metrics import Metrics, read_metrics
from seq2slim.training.objective import Loss, Objective
from seq2slim.training.objectives import OBJECTIVES, nll
from seq2slim.training.optimizers import make_optimizer
from seq2slim.training.state import TrainState, new_state
from seq2slim.training.step import Training, make_train_step, make_training

__all__ = [
    "OBJECTIVES",
    "Checkpoints",
    "Loss",
    "Metrics",
    "Objective",
    "OptimizerConfig",
    "Run",
    "ScheduleConfig",
    "TrainState",
    "Training",
    "TrainingConfig",
    "fit",
    "learning_rate",
    "make_optimizer",
    "make_train_step",
    "make_training",
    "new_state",
    "nll",
    "read_metrics",
]
