"""`retrain` takes its options, and pruned weights stay at zero."""

import re

import numpy as np
import pytest

from seq2slim.inference.model_files import load_model
from tests.support.smoke import last_line


def test_options_are_taken_and_pruned_weights_stay_at_zero(toy):
    words = ["--scheme", "class_uniform", "--sparsity", 0.3]
    pruned = last_line(toy.type("prune", "--run", toy.run_dirs["baseline"], *words))
    retrained = last_line(toy.type("retrain", "--run", pruned, "--training.max-steps", 3, "--seed", 7))
    before, after = (load_model(toy.runs.parent / run_dir) for run_dir in (pruned, retrained))
    kernels = [model.params["decoder"]["layer_1"]["kernel"] for model in (before, after)]
    assert np.mean(np.asarray(kernels[0]) == 0) == pytest.approx(0.3, abs=1e-3)
    assert ((np.asarray(kernels[1]) == 0) == (np.asarray(kernels[0]) == 0)).all()
    assert (np.asarray(kernels[1]) != np.asarray(kernels[0])).any()
    shown = toy.type("inspect", retrained).stdout.decode()
    assert "max_steps 3" in shown
    assert "seed = 7" in shown
    assert re.search(r"attention +4,608 +3,22\d +(29\.9|30\.0)\d%", shown)
