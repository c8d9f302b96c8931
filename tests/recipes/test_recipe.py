"""Options and settings of a recipe have the names and defaults of what they configure."""

import typing
from dataclasses import fields

from experiments import prune80
from experiments.kim2016 import kim2016
from seq2slim.models import PRESETS, ModelOptions, Seq2SeqConfig
from seq2slim.recipes import DISTILLATION_RECIPES, RECIPES


def test_settings_are_by_default_those_of_the_default_recipe():
    for default, recipes in ((prune80.Config(), RECIPES), (kim2016.Config(), DISTILLATION_RECIPES)):
        assert default.settings == recipes[default.recipe]


def test_options_of_a_model_are_those_of_its_configuration():
    own, meant = typing.get_type_hints(ModelOptions), typing.get_type_hints(Seq2SeqConfig)
    assert set(typing.get_args(own.pop("preset"))) == set(PRESETS)
    del meant["source_vocabulary"], meant["target_vocabulary"]
    assert list(own) == list(meant)
    for name, hint in meant.items():
        assert own[name] == hint | None, name
    assert all(field.default is None for field in fields(ModelOptions) if field.name != "preset")
