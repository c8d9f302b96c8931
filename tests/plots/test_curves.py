"""Curves have the given points and error bars, readable labels, and the same bytes each time."""

import numpy as np
import pytest

from seq2slim.plots import curves
from tests.support.figures import assert_same_bytes_twice, assert_texts_inside, figures_of

CURVES = {"one": [(0.0, 30.0, float("nan")), (40.0, 29.0, 0.5)], "two": [(40.0, 20.0, float("nan"))]}
DRAWN = {"curves": lambda p: curves.against_percent_pruned(CURVES, "BLEU", p, {"control": 31.0})}


@pytest.fixture
def draw(monkeypatch, tmp_path):
    yield from figures_of(curves, DRAWN, monkeypatch, tmp_path)


def test_curves_have_their_points_and_bars_of_deviation(draw):
    (axes,) = draw("curves").axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["control"].get_ydata()) == [31.0, 31.0]
    for points, (line, caps, deviations) in zip(CURVES.values(), axes.containers):
        assert [tuple(point) for point in line.get_xydata()] == [(x, mean) for x, mean, _ in points]
        drawn = [ends for ends in (deviations[0].get_segments() if deviations else ()) if len(ends)]
        known = [d for _, _, d in points if not np.isnan(d)]
        assert [top - bottom for (_, bottom), (_, top) in drawn] == pytest.approx([2 * d for d in known])
        assert bool(caps) == bool(known)
    assert axes.get_xlabel() == "weights pruned (%)"


def test_more_than_can_be_told_apart_is_refused(tmp_path):
    with pytest.raises(ValueError, match="6 kinds of line, got 7"):
        curves.against_percent_pruned({str(n): CURVES["one"] for n in range(7)}, "BLEU", tmp_path / "x")


@pytest.mark.parametrize("name", DRAWN)
def test_texts_lie_inside_the_figure(draw, name):
    assert_texts_inside(draw(name))


@pytest.mark.parametrize("name", ["curves"])
def test_written_twice_the_bytes_are_the_same(tmp_path, name):
    assert_same_bytes_twice(tmp_path, DRAWN[name])
