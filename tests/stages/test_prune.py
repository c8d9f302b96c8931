"""The Prune stage against plain numpy: one class, shuffled and random masks, and weights that cannot be ranked."""

import jax
import numpy as np
import pytest

from seq2slim import pruning
from seq2slim.errors import UserError
from seq2slim.inference.model_files import load_model
from seq2slim.models import weight_classes
from seq2slim.stages.prune import Prune
from tests.support.pruning_chain import SEED, arrays, model


def test_one_class_alone_is_pruned_as_much_as_by_the_whole_scheme(runner, baseline):
    whole = arrays(model(runner, Prune(baseline, "class_blind", 0.7)).masks)
    alone = model(runner, stage := Prune(baseline, "class_blind", 0.7, only="target layer 1"))
    dense = arrays(load_model(runner.run_dir(baseline)).params)
    for path, mask in arrays(alone.masks).items():
        assert (mask == whole[path]).all() if path == "decoder/layer_1/kernel" else mask.all(), path
        np.testing.assert_array_equal(arrays(alone.params)[path], np.where(mask, dense[path], 0))
    assert not arrays(alone.masks)["decoder/layer_1/kernel"].all()
    (row,) = (row for row in runner.result(stage)["classes"] if row["name"] == "target layer 1")
    gone = ~whole["decoder/layer_1/kernel"]
    assert row["kept"] == (~gone).sum()
    assert row["largest_removed"] == pytest.approx(np.abs(dense["decoder/layer_1/kernel"][gone]).max())


def test_an_unknown_class_is_named(runner, baseline):
    with pytest.raises(
        ValueError, match=r"only must be one of \['attention', .*'target layer 1'\], got 'target layer 2'"
    ):
        runner.run(Prune(baseline, only="target layer 2"))


def test_shuffled_masks_prune_as_much_of_each_class_elsewhere(runner, baseline):
    ordered, shuffled = (model(runner, Prune(baseline, sparsity=0.7, shuffled=s)) for s in (False, True))
    one, other = arrays(ordered.masks), arrays(shuffled.masks)
    assert {path: mask.sum() for path, mask in one.items()} == {path: mask.sum() for path, mask in other.items()}
    assert all((one[path] != other[path]).any() for path in one)


def test_random_masks_ignore_magnitude(runner, baseline):
    dense, masks = (
        arrays(load_model(runner.run_dir(baseline)).params),
        arrays(model(runner, Prune(baseline, "random", 0.7)).masks),
    )
    gone = np.concatenate([np.abs(dense[path][~mask]) for path, mask in masks.items()])
    kept = np.concatenate([np.abs(dense[path][mask]) for path, mask in masks.items()])
    assert len(gone) == round(0.7 * (len(gone) + len(kept)))
    assert np.mean(gone) == pytest.approx(np.mean(kept), rel=0.1)


def test_every_scheme_is_that_of_the_registry(runner, baseline):
    dense = load_model(runner.run_dir(baseline))
    classes = pruning.classes_by_rules(dense.params, weight_classes(dense.config))
    key = jax.random.fold_in(jax.random.key(SEED), 2)
    for name, scheme in pruning.SCHEMES.items():
        found = Prune(baseline, name, 0.6).choose(dense, classes)
        jax.tree.map(np.testing.assert_array_equal, found, scheme(dense.params, 0.6, classes=classes, key=key))
    with pytest.raises(UserError, match=r"scheme must be one of \['class_blind', .*got 'magnitude'"):
        Prune(baseline, "magnitude")


@pytest.mark.parametrize(
    ("scheme", "bad", "message"),
    [
        (
            "class_blind",
            np.nan,
            r"train-\w+ cannot be pruned by class_blind: weight \[1, 2\] of 'softmax/kernel' is NaN",
        ),
        ("class_distribution", np.inf, r"train-\w+ cannot .*: class 'softmax' has standard deviation nan"),
    ],
)
def test_weights_that_cannot_be_ranked_are_a_user_error(runner, baseline, scheme, bad, message):
    broken = load_model(runner.run_dir(baseline))
    classes = pruning.classes_by_rules(broken.params, weight_classes(broken.config))
    broken.params["softmax"]["kernel"] = broken.params["softmax"]["kernel"].at[1, 2].set(bad)
    with pytest.raises(UserError, match=message):
        Prune(baseline, scheme).choose(broken, classes)


def test_a_class_without_weights_is_a_user_error(runner, baseline):
    empty = load_model(runner.run_dir(baseline))
    classes = pruning.classes_by_rules(empty.params, weight_classes(empty.config))
    empty.params["softmax"]["kernel"] = empty.params["softmax"]["kernel"][:0]
    with pytest.raises(UserError, match="class 'softmax' has no weight"):
        Prune(baseline).choose(empty, classes)
