"""Redundancy is measured for models with LSTM gates only."""

from dataclasses import replace

from experiments.see2016 import fig8_redundancy, small_model
from seq2slim.models import ModelOptions
from seq2slim.recipes import RECIPES
from tests.support.toy_study import config


def test_of_another_cell_there_are_no_gates_to_tell_apart():
    tiny = RECIPES["tiny"]
    gru = config(recipe="tiny", settings=replace(tiny, model=ModelOptions("tiny", cell="gru")))
    local = config(recipe="tiny", settings=replace(tiny, model=ModelOptions("tiny", attention_span="local_p")))
    assert len(fig8_redundancy.entries(local, 1)) == 1
    assert fig8_redundancy.entries(gru, 1) == []
    for own in (gru, local):
        (model,) = {entry.stage.parent.model for entry in small_model.entries(own, 1)[:1]}
        assert model.build(9, 9).attention == "none"
