"""The settings in the docstring of an experiment are those that it runs with by default."""

import importlib
import re
from dataclasses import replace

import pytest

from experiments import prune80
from experiments.kim2016 import kim2016
from experiments.see2016 import see2016, see2016_full, small_model, study
from seq2slim.recipes import RECIPES, described, described_distillation

STUDY = study.Config()
WITHOUT_ATTENTION = replace(STUDY.settings, model=small_model.without_attention(STUDY.settings.model))
EXPECTED = {
    prune80: f"--recipe {prune80.Config().recipe}): {described(prune80.Config().settings)}",
    kim2016: f"--recipe {kim2016.Config().recipe}): {described_distillation(kim2016.Config().settings)}",
    see2016: f"--recipe {STUDY.recipe}): {described(STUDY.settings)}",
    see2016_full: f"recipe see2016): {described(see2016_full.Config().settings)}",
}
DENSE = ("model", "text", "training")
USED = {  # by those that use not all of them
    "fig3_schemes": (*DENSE, "search"),
    "fig4_breakdown": DENSE,
    "fig5_magnitude": DENSE,
    "fig7_loss": (*DENSE, "retraining"),
    "fig8_redundancy": DENSE,
}
OTHERS = {name: f"--recipe {STUDY.recipe}): {described(STUDY.settings, parts)}" for name, parts in USED.items()} | {
    "full_size": f"--paper {STUDY.paper}): {described(RECIPES[STUDY.paper], ('model', 'text'))}",
    "small_model": f"--recipe {STUDY.recipe}): {described(WITHOUT_ATTENTION)}",
}
EXPECTED |= {
    importlib.import_module(f"experiments.see2016.{name}"): OTHERS.get(name, EXPECTED[see2016])
    for name in see2016.EXPERIMENTS
}


@pytest.mark.parametrize(("module", "expected"), EXPECTED.items(), ids=[module.__name__ for module in EXPECTED])
def test_the_docstring_has_the_settings(module, expected):
    (found,) = re.findall(r"^Settings \((.*?)\.$", module.__doc__, flags=re.MULTILINE | re.DOTALL)
    assert " ".join(found.split()) == expected
