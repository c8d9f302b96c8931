"""BLEU against weights: points at their numbers, on a logarithmic axis, joined only on request."""

from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

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
    assert {text.get_text() for text in axes.texts} == {"Seq-KD", "0%", "50%", "80%"}


def test_names_at_one_place_do_not_lie_on_each_other(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(against_weights, "save", lambda fig, path: drawn.append(fig) or [])
    close = [(f"student {index}", 2_000_000, 34 + 0.01 * index) for index in range(6)]
    against_weights.bleu_against_weights({"teacher": [("", 8_000_000, 36.0)], "student": close}, tmp_path / "x")
    drawn[0].draw_without_rendering()
    renderer = drawn[0].canvas.get_renderer()
    boxes = {text.get_text(): Text.get_window_extent(text, renderer) for text in drawn[0].axes[0].texts}  # no lines
    assert sorted(boxes, key=lambda name: boxes[name].y0) == [name for name, _, _ in close]
    assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes[name] for name, _, _ in close))


@given(st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=4).map(sorted), st.integers(0, 8))
def test_names_are_moved_by_the_least_squares(values, gap):
    places = against_weights.apart(values, gap)
    assert all(high - low >= gap - 1e-9 for low, high in pairwise(places))
    assert fmean(places) == pytest.approx(fmean(values))
    moved = sum((place - value) ** 2 for place, value in zip(places, values))
    for index in range(len(values)):  # no place alone, nor all from one on, can move to a better one
        for step in (-1e-3, 1e-3):
            for end in (index + 1, len(values)):
                other = [place + step * (index <= at < end) for at, place in enumerate(places)]
                if all(high - low >= gap - 1e-9 for low, high in pairwise(other)):
                    assert sum((place - value) ** 2 for place, value in zip(other, values)) >= moved - 1e-9


def test_too_many_groups_are_refused(tmp_path):
    with pytest.raises(ValueError, match="5 groups, got 6"):
        against_weights.bleu_against_weights({name: [("", 1, 1.0)] for name in "abcdef"}, tmp_path / "x")
