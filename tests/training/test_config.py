"""A run's configuration refuses what cannot be; above all words that would be taken for other ones."""

import pytest

from seq2slim.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig


@pytest.mark.parametrize(
    ("config", "changes", "match"),
    [
        (ScheduleConfig, {"kind": "halve"}, "kind must be one of 'constant', 'halving', 'cosine'; got 'halve'"),
        (ScheduleConfig, {"timing": "Code"}, "timing .* 'prose', 'code'; got 'Code'"),
        (ScheduleConfig, {"halve_every": 0}, "halve_every must be a positive number, got 0"),
        (ScheduleConfig, {"halve_after": -1}, "halve_after must be a number, 0 or more; got -1"),
        (ScheduleConfig, {"warmup": -0.5}, "warmup must be a number, 0 or more; got -0.5"),
        (OptimizerConfig, {"name": "adamw"}, "name .* 'sgd', 'adam', 'adagrad'; got 'adamw'"),
        (OptimizerConfig, {"normalise": "tokens"}, "normalise .* got 'tokens'"),
        (OptimizerConfig, {"learning_rate": 0}, "learning_rate must be a positive number, got 0"),
        (OptimizerConfig, {"learning_rate": float("nan")}, "learning_rate must be a positive number, got nan"),
        (TrainingConfig, {"epochs": float("inf")}, "epochs must be a positive number, got inf"),
        (OptimizerConfig, {"clip_norm": float("nan")}, "clip_norm must be a number, 0 or more; got nan"),
        (OptimizerConfig, {"clip_norm": -1}, "clip_norm .* got -1"),
        (OptimizerConfig, {"weight_decay": -1}, "weight_decay must be a number, 0 or more; got -1"),
        (OptimizerConfig, {"second_moment": 1.0}, r"second_moment must be in \(0, 1\), got 1.0"),
        (TrainingConfig, {"dropout_scale": -0.5}, "dropout_scale .* got -0.5"),
        (TrainingConfig, {"dropout_scale": float("nan")}, "dropout_scale .* got nan"),
        (TrainingConfig, {"epochs": 0}, "epochs must be a positive number, got 0"),
        (TrainingConfig, {"batch_size": 0}, "batch_size must be a positive number, got 0"),
        (TrainingConfig, {"evaluations_per_epoch": 0}, "evaluations_per_epoch must be a positive number, got 0"),
        (TrainingConfig, {"shapes": 0}, "shapes must be a positive number, got 0"),
        (TrainingConfig, {"max_steps": -5}, "max_steps must be a number, 0 or more; got -5"),
        (TrainingConfig, {"patience": -1}, "patience must be a number, 0 or more; got -1"),
        (TrainingConfig, {"label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\), got 1.0"),
        (TrainingConfig, {"average_decay": -0.1}, "average_decay .* got -0.1"),
        (TrainingConfig, {"accumulate": 0}, "accumulate must be a positive number, got 0"),
        (TrainingConfig, {"keep": "first"}, "keep .* got 'first'"),
    ],
)
def test_refuses(config, changes, match):
    with pytest.raises(ValueError, match=match):
        config(**changes)


def test_equal_configs_hash_alike():
    assert hash(TrainingConfig(epochs=3)) == hash(TrainingConfig(epochs=3))
    assert TrainingConfig(epochs=3) != TrainingConfig()
