"""Grouped bars have the given heights and names, and differ without colour."""

import pytest

from seq2slim.plots import bars, style
from tests.support.figures import assert_texts_inside, figures_of

DRAWN = {"bars": lambda p: bars.grouped_bars(["a", "b"], {"x": [1, 20], "y": [3, 0]}, "increase", p, True)}


@pytest.fixture
def draw(monkeypatch, tmp_path):
    yield from figures_of(bars, DRAWN, monkeypatch, tmp_path)


def test_bars_have_their_heights_and_are_told_apart_without_colour(draw):
    (axes,) = draw("bars").axes
    assert [[bar.get_height() for bar in own] for own in axes.containers] == [[1, 20], [3, 0]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]
    assert axes.get_yscale() == "log"
    greys = [sum(int(bar["facecolor"][k : k + 2], 16) for k in (1, 3, 5)) / 3 for bar in style.BARS]
    looks = {(round(grey / 40), bar.get("hatch")) for grey, bar in zip(greys, style.BARS)}
    assert len(looks) == len(style.BARS)


def test_a_level_is_drawn_across_the_bars(monkeypatch, tmp_path):
    kept = []
    monkeypatch.setattr(bars, "save", lambda fig, path: kept.append(fig) or [path])
    bars.grouped_bars(["a"], {"x": [1]}, "y", tmp_path / "x", levels={"the paper": 2.9})
    (line,) = kept[0].axes[0].lines
    assert (line.get_label(), list(line.get_ydata())) == ("the paper", [2.9, 2.9])


@pytest.mark.parametrize("name", DRAWN)
def test_texts_lie_inside_the_figure(draw, name):
    assert_texts_inside(draw(name))


def test_heights_that_do_not_fit_the_groups_are_refused(tmp_path):
    with pytest.raises(ValueError, match="2 heights"):
        bars.grouped_bars(["a", "b"], {"x": [1]}, "y", tmp_path / "x")
