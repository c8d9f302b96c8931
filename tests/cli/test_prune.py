"""`prune` takes its options, and refuses a sparsity that is no fraction."""

import numpy as np
import pytest

from seq2slim import cli
from seq2slim.inference.model_files import load_model
from tests.support.smoke import last_line


def test_a_fraction_of_the_dense_weights_is_kept(toy):
    """Class-blind by default: the weights kept are the largest of all matrices together."""
    pruned = last_line(toy.type("prune", "--run", toy.run_dirs["baseline"], "--sparsity", 0.25, "-o", "a-quarter"))
    assert pruned == "a-quarter"
    dense, sparse = (load_model(run_dir).params for run_dir in (toy.run_dirs["baseline"], toy.runs.parent / pruned))
    pairs = [
        (np.asarray(dense[name]["kernel"]), np.asarray(sparse[name]["kernel"])) for name in ("softmax", "attention")
    ]
    kept, gone = (np.concatenate([abs(d[(s != 0) == keep]) for d, s in pairs]) for keep in (True, False))
    assert kept.min() >= gone.max() > 0
    for before, after in pairs:
        np.testing.assert_array_equal(after[after != 0], before[after != 0])


@pytest.mark.parametrize("sparsity", ["1.5", "-0.1", "nan"])
def test_a_sparsity_outside_0_and_1_is_refused(toy, capsys, sparsity):
    assert cli.main(["prune", "--run", str(toy.run_dirs["baseline"]), f"--sparsity={sparsity}"]) == 2
    assert capsys.readouterr().err == f"seq2slim: sparsity is a fraction in [0, 1], got {float(sparsity)}\n"
