"""Maps of surviving weights against the masks they are drawn from."""

import numpy as np
import pytest

from seq2slim.plots import survivors
from tests.support.figures import assert_same_bytes_twice, assert_texts_inside, figures_of

RANDOM = np.random.default_rng(0)
KERNELS = {f"source layer {k}": RANDOM.random((10, 20)) < 0.2 for k in (1, 2, 3)}
WORDS = {side: {"rank": [1, 11, 21], "density": [0.5, 0.25, 0.0], "dead": [0, 1, 10]} for side in ("source", "target")}
DRAWN = {
    "lstm": lambda p: survivors.lstm_maps(KERNELS, p),
    "embeddings": lambda p: survivors.embedding_maps({"source": KERNELS["source layer 1"]}, p),
    "words": lambda p: survivors.words_by_frequency(WORDS, p),
}


@pytest.fixture
def draw(monkeypatch, tmp_path):
    yield from figures_of(survivors, DRAWN, monkeypatch, tmp_path)


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


def test_a_large_map_is_shown_by_the_means_of_blocks():
    mask = np.random.default_rng(0).random((300, 700)) < 0.3
    found = survivors.block_means(mask, (2, 3))
    assert found.shape == (150, 234)  # blocks of 2 x 3, the last column of one
    for row, column in ((0, 0), (7, 100), (149, 233)):
        block = mask[2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
        assert found[row, column] == block.mean()
    assert (survivors.block_means(mask, (1, 1)) == mask).all()


@pytest.mark.parametrize("name", DRAWN)
def test_texts_lie_inside_the_figure(draw, name):
    assert_texts_inside(draw(name))


@pytest.mark.parametrize("name", ["lstm"])
def test_written_twice_the_bytes_are_the_same(tmp_path, name):
    assert_same_bytes_twice(tmp_path, DRAWN[name])
