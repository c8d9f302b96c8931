"""Points stand where given, with their names."""

import pytest

from seq2slim.plots import scatter
from tests.support.figures import assert_texts_inside, figures_of

DRAWN = {"scatter": lambda p: scatter.named_points([("a", 0.1, 3), ("b", 0.4, 90)], "|w|", "increase", p, True)}


@pytest.fixture
def draw(monkeypatch, tmp_path):
    yield from figures_of(scatter, DRAWN, monkeypatch, tmp_path)


def test_points_have_their_names(draw):
    (axes,) = draw("scatter").axes
    assert [tuple(line.get_xydata()[0]) for line in axes.lines] == [(0.1, 3), (0.4, 90)]
    assert [(text.get_text(), *text.xy) for text in axes.texts] == [("a", 0.1, 3), ("b", 0.4, 90)]


@pytest.mark.parametrize("name", DRAWN)
def test_texts_lie_inside_the_figure(draw, name):
    assert_texts_inside(draw(name))
