"""Checks of figures: texts inside the figure, and the same bytes when drawn again."""

import matplotlib.pyplot as plt


def figures_of(module, functions, monkeypatch, tmp_path):
    """Yields a function: name -> the figure of functions[name](path), before `module` writes and closes it."""
    kept = []

    def draw(name):
        monkeypatch.setattr(module, "save", lambda fig, path: kept.append(fig) or [path])
        functions[name](tmp_path / name)
        return kept[-1]

    yield draw
    plt.close("all")


def assert_texts_inside(fig):
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


def assert_same_bytes_twice(tmp_path, function):
    one, two = (function(tmp_path / folder / "figure") for folder in ("one", "two"))
    assert [path.suffix for path in one] == [".svg", ".png"]
    for a, b in zip(one, two):
        assert a.read_bytes() == b.read_bytes()
