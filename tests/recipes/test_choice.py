"""What is read of --recipe before parsing, against what argparse makes of the same words."""

import argparse

import pytest

from experiments import prune80
from experiments.kim2016 import kim2016
from experiments.see2016 import study
from seq2slim.recipes import DISTILLATION_RECIPES, RECIPES, typed, typed_recipe


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("typed", ["--recipe {}", "--recipe={}", "--seed 2 --recipe {} --title x"])
def test_naming_a_recipe_takes_its_settings(name, typed):
    config = prune80.start(typed.format(name).split())
    assert (config.recipe, config.settings) == (name, RECIPES[name])


WORDS = [
    "",
    "--recipe small",
    "--recipe=small",
    "--recipe quick --seed=2 --recipe=tiny",
    "--recipe=tiny --seed 2 --recipe quick",
    "--seed 3",
]


@pytest.mark.parametrize("words", WORDS)
def test_the_last_value_counts(words):
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe")
    parser.add_argument("--seed")
    parsed = parser.parse_args(words.split())
    assert typed(words.split(), "--recipe") == parsed.recipe
    assert typed(words.split(), "--seed") == parsed.seed
    expected = {"recipe": parsed.recipe, "settings": RECIPES[parsed.recipe]} if parsed.recipe else {}
    assert typed_recipe(words.split(), RECIPES) == expected


def test_an_unknown_recipe_is_left_to_the_parser():
    assert typed_recipe(["--recipe", "smal"], RECIPES) == {}


def test_of_an_option_typed_twice_the_last_counts():
    """As in what tyro then parses; the defaults must not be those of another recipe."""
    words = ["--recipe", "quick", "--seed=2", "--recipe=tiny"]
    assert typed(words, "--recipe") == "tiny"
    assert typed(words, "--seed") == "2"
    assert typed(words, "--link") is None
    for start, recipes in ((prune80.start, RECIPES), (study.start, RECIPES), (kim2016.start, DISTILLATION_RECIPES)):
        assert (start(words).recipe, start(words).settings) == ("tiny", recipes["tiny"])
