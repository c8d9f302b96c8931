"""BLEU against weights: every point where its numbers are, on a logarithmic axis, joined only where asked."""

import numpy as np
import pytest

from seq2slim.plots import against_weights

GROUPS = {
    "teacher": [("", 8_000_000, 36.0)],
    "student": [("Seq-KD", 2_000_000, 34.0)],
    "pruned": [("50%", 1_000_000, 34.2), ("80%", 400_000, 33.0), ("0%", 2_000_000, 34.5)],
}


@pytest.fixture
def axes(monkeypatch, tmp_path):
    drawn = []
    save = against_weights.save
    monkeypatch.setattr(against_weights, "save", lambda fig, path: drawn.append(fig.axes[0]) or save(fig, path))
    paths = against_weights.bleu_against_weights(GROUPS, tmp_path / "figure", joined="pruned")
    assert [path.name for path in paths] == ["figure.svg", "figure.png"]
    assert all(path.stat().st_size for path in paths)
    return drawn[0]


def test_points_and_names(axes):
    assert axes.get_xscale() == "log"
    lines = {line.get_label(): line for line in axes.get_lines()}
    for label, points in GROUPS.items():
        expected = sorted((x, y) for _, x, y in points)
        np.testing.assert_array_equal(lines[label].get_xydata(), expected)
        assert (lines[label].get_linestyle() == "-") == (label == "pruned")
    assert {text.get_text() for text in axes.texts} == {"", "Seq-KD", "0%", "50%", "80%"}


def test_too_many_groups_are_refused(tmp_path):
    with pytest.raises(ValueError, match="5 groups, got 6"):
        against_weights.bleu_against_weights({name: [("", 1, 1.0)] for name in "abcdef"}, tmp_path / "x")
