"""Reports on masks against counts by hand or by plain NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim import pruning

PARAMS = {
    "a": np.array([[1.0, -2.0], [3.0, -4.0]], np.float32),
    "b": np.array([[0.5, -10.0, 20.0]], np.float32),
    "bias": np.ones(5, np.float32),
}
MASKS = {"a": np.array([[False, False], [True, True]]), "b": np.array([[False, True, True]]), "bias": np.array(True)}


def test_summary_by_hand():
    result = pruning.summary(PARAMS, MASKS)
    assert [tuple(row) for row in result.rows] == [("a", 4, 2, 3.0, 2.0), ("b", 3, 2, 10.0, 0.5)]
    assert tuple(result.total)[1:] == (7, 4, 3.0, 2.0)
    assert result.total.sparsity == pytest.approx(3 / 7)
    assert result.never_pruned == 5


def test_summary_by_classes_merges_their_leaves():
    classes = {"a": "all of it", "b": "all of it", "bias": pruning.NEVER_PRUNED}
    (row,) = pruning.summary(PARAMS, MASKS, classes=classes).rows
    assert tuple(row) == ("all of it", 7, 4, 3.0, 2.0)


def test_summary_after_pruning_keeps_the_threshold():
    result = pruning.summary(pruning.apply_masks(PARAMS, MASKS), MASKS)
    assert [(row.threshold, row.largest_removed) for row in result.rows] == [(3.0, 0.0), (10.0, 0.0)]


def test_summary_of_a_class_all_kept_or_all_removed():
    masks = {**MASKS, "a": np.zeros((2, 2), bool), "b": np.ones((1, 3), bool)}
    first, second = pruning.summary(PARAMS, masks).rows
    assert np.isnan(first.threshold)
    assert first.largest_removed == 4
    assert second.threshold == 0.5
    assert np.isnan(second.largest_removed)


def test_class_blind_thresholds_meet():
    """One global threshold: what was removed anywhere is no larger than what was kept anywhere."""
    params = {name: np.random.default_rng(n).standard_normal((1100, 1000)) for n, name in enumerate("ab")}
    result = pruning.summary(params, pruning.class_blind(params, 0.9))
    magnitudes = np.sort(np.abs(np.concatenate([w.ravel() for w in params.values()])))
    assert result.total.largest_removed == magnitudes[1_980_000 - 1]
    assert result.total.threshold == magnitudes[1_980_000]


def test_table_has_a_line_for_each_class_and_aligned_columns():
    lines = str(pruning.summary(PARAMS, MASKS)).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["class", "a", "b", "all classes", "never pruned"]
    assert "50.00%" in lines[1]
    end = lines[0].index("kept") + len("kept")
    assert [line[end - 1] for line in lines[1:]] == ["2", "2", "4", "5"]


def test_density_of_each_subgroup():
    units, inputs = 2, 3
    mask = np.zeros((inputs + units, 4 * units), bool)
    mask[:inputs, :2] = True  # feed-forward i
    mask[inputs:, 7] = True  # half of recurrent h-hat
    mask[0, 4] = True  # one of 6 in feed-forward o
    density = pruning.subgroup_density(jnp.asarray(mask), units)
    assert density.pop(("feed-forward", "i")) == 1
    assert density.pop(("recurrent", "h-hat")) == 0.5
    assert density.pop(("feed-forward", "o")) == pytest.approx(1 / 6)
    assert set(density.values()) == {0.0}
    assert len(density) == 5
    with pytest.raises(ValueError, match=r"\[5, 8\]"):
        pruning.subgroup_density(mask, 3)


@pytest.mark.parametrize(("inputs", "squares"), [(5, 8), (3, 4)])
def test_density_on_and_off_the_diagonals(inputs, squares):
    units = 5
    mask = np.random.default_rng(inputs).random((inputs + units, 4 * units)) < 0.4
    found = pruning.diagonal_density(jnp.asarray(mask), units)
    assert len(found) == squares  # feed-forward blocks only where the input is as wide as the layer
    for (part, gate), (on, off) in found.items():
        row, column = inputs if part == "recurrent" else 0, units * ["i", "f", "o", "h-hat"].index(gate)
        cells = {(a, b): mask[row + a, column + b] for a in range(units) for b in range(units)}
        assert on == pytest.approx(np.mean([kept for (a, b), kept in cells.items() if a == b]))
        assert off == pytest.approx(np.mean([kept for (a, b), kept in cells.items() if a != b]))


def test_dead_words_have_no_weight_left():
    embedding = np.ones((6, 3), np.float32)
    embedding[1] = 0
    embedding[4] = -0.0
    embedding[5] = [0, 0, 1e-30]
    assert list(pruning.dead_words(embedding)) == [1, 4]
    assert list(pruning.dead_words(embedding != 0)) == [1, 4]
    assert list(pruning.dead_words(jnp.asarray(embedding, jnp.bfloat16))) == [1, 4]
