"""Recipes in words: every setting that the words name follows a change of it, and nothing else does."""

from dataclasses import replace

import pytest

from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.recipes import DISTILLATION_RECIPES, RECIPES, described, described_distillation
from seq2slim.training.config import OptimizerConfig

SMALL = RECIPES["small"]


@pytest.mark.parametrize(
    ("part", "changes", "words"),
    [
        ("model", {"layers": 3}, "3 x 256"),
        ("model", {"units": 77}, "2 x 77"),
        ("model", {"cell": "gru"}, "GRU"),
        ("model", {"embedding": 99}, "embeddings of 99"),
        ("model", {"bidirectional": True}, "bidirectional"),
        ("model", {"attention": "none"}, "no attention"),
        ("model", {"attention_span": "local_p"}, "dot local-p attention"),
        ("model", {"input_feeding": True}, "input feeding"),
        ("model", {"dropout": 0.45}, "dropout 0.45"),
        ("vocabulary", {"size": 1234}, "8,000 | 1,234"),
        ("vocabulary", {"source_size": 0}, "unigram 4,000,"),
        ("training", {"epochs": 11}, "x 11 epochs"),
        ("training", {"epochs": 1}, "x 1 epoch of"),
        ("training", {"batch_size": 19}, "of batch 19"),
        ("training", {"optimizer": OptimizerConfig("sgd", 0.75)}, "sgd 0.75"),
        ("retraining", {"dropout_scale": 1.25}, "dropout x 1.25"),
        ("search", {"beam": 13}, "beam 13"),
        ("search", {"length_penalty": LengthPenalty("gnmt", 0.625)}, "length penalty 0.625"),
    ],
)
def test_a_changed_setting_is_named(part, changes, words):
    changed = replace(SMALL, **{part: replace(getattr(SMALL, part), **changes)})
    assert words in described(changed)
    assert words not in described(SMALL)


def test_a_joint_vocabulary_is_named():
    assert "bpe 500 joint," in described(replace(SMALL, vocabulary=VocabularyConfig("bpe", 500, joint=True)))


@pytest.mark.parametrize("part", ["training", "tuning", "retraining", "retuning"])
def test_each_training_of_a_distillation_is_named(part):
    base = DISTILLATION_RECIPES["base"]
    changed = replace(base, **{part: replace(getattr(base, part), epochs=77)})
    assert described_distillation(changed).count("x 77 epochs") == 1


@pytest.mark.parametrize("name", DISTILLATION_RECIPES)
def test_teacher_and_student_are_named(name):
    recipe = DISTILLATION_RECIPES[name]
    words = described_distillation(recipe)
    for model in (recipe.teacher.model.build(1, 1), recipe.student.build(1, 1)):
        assert f"{model.layers} x {model.units}" in words
    assert f"from the {recipe.inter_beam} best" in words
