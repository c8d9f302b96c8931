"""Figures of the pruning study: what is drawn is what was given, named, inside the figure, and the same bytes twice."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from seq2slim.plots import bars, curves, scatter, style, survivors

CURVES = {"one": [(0.0, 30.0, float("nan")), (40.0, 29.0, 0.5)], "two": [(40.0, 20.0, float("nan"))]}
RANDOM = np.random.default_rng(0)
KERNELS = {f"source layer {k}": RANDOM.random((10, 20)) < 0.2 for k in (1, 2, 3)}
WORDS = {side: {"rank": [1, 11, 21], "density": [0.5, 0.25, 0.0], "dead": [0, 1, 10]} for side in ("source", "target")}
DRAWN = {
    "curves": (curves, lambda p: curves.against_percent_pruned(CURVES, "BLEU", p, {"control": 31.0})),
    "bars": (bars, lambda p: bars.grouped_bars(["a", "b"], {"x": [1, 20], "y": [3, 0]}, "increase", p, True)),
    "scatter": (scatter, lambda p: scatter.named_points([("a", 0.1, 3), ("b", 0.4, 90)], "|w|", "increase", p, True)),
    "lstm": (survivors, lambda p: survivors.lstm_maps(KERNELS, p)),
    "embeddings": (survivors, lambda p: survivors.embedding_maps({"source": KERNELS["source layer 1"]}, p)),
    "words": (survivors, lambda p: survivors.words_by_frequency(WORDS, p)),
}


@pytest.fixture
def draw(monkeypatch, tmp_path):
    """name -> the figure, before it is written and closed."""
    kept = []

    def drawn(name):
        module, function = DRAWN[name]
        monkeypatch.setattr(module, "save", lambda fig, path: kept.append(fig) or [path])
        function(tmp_path / name)
        return kept[-1]

    yield drawn
    plt.close("all")


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


def test_bars_have_their_heights_and_are_told_apart_without_colour(draw):
    (axes,) = draw("bars").axes
    assert [[bar.get_height() for bar in own] for own in axes.containers] == [[1, 20], [3, 0]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]
    assert axes.get_yscale() == "log"
    greys = [sum(int(bar["facecolor"][k : k + 2], 16) for k in (1, 3, 5)) / 3 for bar in style.BARS]
    looks = {(round(grey / 40), bar.get("hatch")) for grey, bar in zip(greys, style.BARS)}
    assert len(looks) == len(style.BARS)


def test_points_have_their_names(draw):
    (axes,) = draw("scatter").axes
    assert [tuple(line.get_xydata()[0]) for line in axes.lines] == [(0.1, 3), (0.4, 90)]
    assert [(text.get_text(), *text.xy) for text in axes.texts] == [("a", 0.1, 3), ("b", 0.4, 90)]


def test_lstm_maps_are_laid_out_as_in_the_paper(draw):
    panels = draw("lstm").axes
    for axes, (name, mask) in zip(panels, KERNELS.items()):
        assert axes.get_title() == name
        drawn = axes.images[0].cmap(axes.images[0].norm(axes.images[0].get_array()))[..., 0]
        np.testing.assert_array_equal(drawn, mask.T)  # kept is white, pruned is black
        assert axes.images[0].get_extent() == [-0.5, 9.5, 19.5, -0.5]
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["feed-forward", "recurrent"]
        assert len(axes.get_yticklabels()) == 4
        edges = sorted(line.get_xdata()[0] if line.get_xdata()[0] == line.get_xdata()[1] else -line.get_ydata()[0]
                       for line in axes.lines)  # fmt: skip
        assert edges == [-14.5, -9.5, -4.5, 4.5]


def test_words_have_their_bins(draw):
    left, _, right, _ = draw("words").axes
    assert [bar.get_height() for bar in left.patches] == [0, 1, 10]
    assert list(right.lines[0].get_ydata()) == [50, 25, 0]


@pytest.mark.parametrize("name", DRAWN)
def test_texts_lie_inside_the_figure(draw, name):
    fig = draw(name)
    fig.draw_without_rendering()
    box, renderer = fig.bbox, fig.canvas.get_renderer()
    texts = []
    for axes in (axes for axes in fig.axes if axes.axison):
        low, high = axes.get_xlim()  # ticks beyond are not drawn
        ticks = [text for text in axes.get_xticklabels() if low <= text.get_position()[0] <= high]
        own = (*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label, *ticks)
        texts += [text for text in own if text.get_text()]
    texts += [text for legend in fig.legends for text in legend.get_texts()]
    assert texts
    for text in texts:
        own = text.get_window_extent(renderer)
        assert box.x0 <= own.x0 <= own.x1 <= box.x1, text
        assert box.y0 <= own.y0 <= own.y1 <= box.y1, text


@pytest.mark.parametrize("name", ["curves", "lstm"])
def test_written_twice_the_bytes_are_the_same(tmp_path, name):
    one, two = (DRAWN[name][1](tmp_path / folder / "figure") for folder in ("one", "two"))
    assert [path.suffix for path in one] == [".svg", ".png"]
    for a, b in zip(one, two):
        assert a.read_bytes() == b.read_bytes()


def test_more_than_can_be_told_apart_is_refused(tmp_path):
    with pytest.raises(ValueError, match="6 lines apart, got 7"):
        curves.against_percent_pruned({str(n): CURVES["one"] for n in range(7)}, "BLEU", tmp_path / "x")
    with pytest.raises(ValueError, match="2 heights"):
        bars.grouped_bars(["a", "b"], {"x": [1]}, "y", tmp_path / "x")


def test_maps_of_one_figure_share_their_shades_and_the_size_of_their_blocks(monkeypatch, tmp_path):
    kept = []
    monkeypatch.setattr(survivors, "save", lambda fig, path: kept.append(fig) or [path])
    random = np.random.default_rng(0)
    kernels = {"dense": random.random((300, 1200)) < 0.8, "sparse": random.random((150, 600)) < 0.2}
    survivors.lstm_maps(kernels, tmp_path / "x")
    maps = [axes.images[0].get_array() for axes in kept[0].axes]
    assert [found.shape for found in maps] == [(400, 100), (200, 50)]  # blocks of 3 x 3, for a diagonal to show
    assert maps[0].max() == 15
    assert maps[0].mean() == pytest.approx(12, abs=0.2)
    assert maps[1].mean() == pytest.approx(3, abs=0.2)


def test_a_level_is_drawn_across_the_bars(monkeypatch, tmp_path):
    kept = []
    monkeypatch.setattr(bars, "save", lambda fig, path: kept.append(fig) or [path])
    bars.grouped_bars(["a"], {"x": [1]}, "y", tmp_path / "x", levels={"the paper": 2.9})
    (line,) = kept[0].axes[0].lines
    assert (line.get_label(), list(line.get_ydata())) == ("the paper", [2.9, 2.9])


def test_a_large_map_is_shown_by_the_means_of_blocks():
    mask = np.random.default_rng(0).random((300, 700)) < 0.3
    found = survivors.block_means(mask, (2, 3))
    assert found.shape == (150, 234)  # blocks of 2 x 3, the last column of one
    for row, column in ((0, 0), (7, 100), (149, 233)):
        block = mask[2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
        assert found[row, column] == block.mean()
    assert (survivors.block_means(mask, (1, 1)) == mask).all()
