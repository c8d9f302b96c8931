"""Maps of the weights that survive pruning (See et al. 2016, sec. 4.5 and fig. 8): lighter means more are kept."""

from pathlib import Path

import numpy as np

from seq2slim.plots.style import BARS, LINES, panels, save

MOST = 512  # points per side of a map; a larger matrix is shown by the means of blocks
GATES = ("i", "f", "o", r"$\hat{h}$")


def lstm_maps(kernels: dict[str, np.ndarray], path: Path) -> list[Path]:
    """Each LSTM matrix in the layout of the paper: rows of the gates i, f, o, h-hat; columns feed-forward | recurrent.

    Args:
      kernels: name -> mask bool[in + H, 4H] of the fused kernel, True kept.
      path: of the figures, without suffix.
    Returns: paths of the SVG and the PNG.
    """
    columns = min(2, len(kernels))
    rows = -(-len(kernels) // columns)
    fig, grid = panels(rows, columns, width=3.2 * columns, height=5.2 * rows)
    for axes in grid.flat[len(kernels) :]:
        axes.set_axis_off()
    matrices = {name: mask.T for name, mask in kernels.items()}
    _maps(grid, matrices, (max(_block(matrices)),) * 2, "equal")  # oblong blocks would hide a diagonal
    for axes, (name, mask) in zip(grid.flat, kernels.items()):
        units = mask.shape[1] // 4
        inputs = mask.shape[0] - units
        for edge in (1, 2, 3):
            axes.axhline(edge * units - 0.5, color="#c04020", linewidth=0.8)
        axes.axvline(inputs - 0.5, color="#c04020", linewidth=0.8)
        axes.set_yticks([(gate + 0.5) * units for gate in range(4)], GATES)
        axes.set_xticks([inputs / 2, inputs + units / 2], ["feed-forward", "recurrent"], fontsize=8)
        axes.tick_params(length=0)
        axes.set_title(name, fontsize=9)
    return save(fig, path)


def block_means(mask: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """f64: the share kept in each block of a mask; blocks at the far edges may be smaller."""
    total, count = mask.astype(float), np.ones(mask.shape)
    for axis, step in enumerate(block):
        starts = np.arange(0, mask.shape[axis], step)
        total, count = (np.add.reduceat(array, starts, axis) for array in (total, count))
    return total / count


def _maps(grid, masks: dict[str, np.ndarray], block: tuple[int, int], aspect: str):
    """Draws each mask on its axes by block means, in the coordinates of its matrix, in 16 shared shades."""
    means = {name: block_means(mask, block) for name, mask in masks.items()}
    brightest = max(own.max() for own in means.values())
    for axes, (name, mask) in zip(grid.flat, masks.items()):
        shades = np.round(15 * means[name] / max(brightest, 1e-9)).astype(np.uint8)
        edges = (-0.5, mask.shape[1] - 0.5, mask.shape[0] - 0.5, -0.5)
        axes.imshow(shades, cmap="gray", vmin=0, vmax=15, aspect=aspect, extent=edges, interpolation="nearest")


def _block(masks: dict[str, np.ndarray]) -> tuple[int, int]:
    """The smallest block with which every mask has at most MOST points per side."""
    rows, columns = (-(-max(mask.shape[axis] for mask in masks.values()) // MOST) for axis in (0, 1))
    return rows, columns


def embedding_maps(embeddings: dict[str, np.ndarray], path: Path) -> list[Path]:
    """Embeddings with one column per word, the most frequent at the left.

    Args: embeddings: name -> mask bool[E, words], True kept. path: of the figures, without suffix.
    Returns: paths of the SVG and the PNG.
    """
    fig, grid = panels(len(embeddings), 1, width=7.0, height=2.4 * len(embeddings))
    _maps(grid, embeddings, _block(embeddings), "auto")
    for axes, (name, mask) in zip(grid.flat, embeddings.items()):
        axes.set_xticks([0, mask.shape[1] - 1], ["most frequent word", "rarest"], fontsize=8)
        for label, side in zip(axes.get_xticklabels(), ("left", "right")):
            label.set_horizontalalignment(side)
        axes.set_ylabel("dimension", fontsize=8)
        axes.set_title(name, fontsize=9)
    return save(fig, path)


def words_by_frequency(words: dict[str, dict[str, list]], path: Path) -> list[Path]:
    """Density of embeddings, and fully pruned words, in bins of words by frequency rank; one panel per side.

    Args: words: name -> `rank` (of the first word of a bin), `density`, `dead` (words). path: without suffix.
    Returns: paths of the SVG and the PNG.
    """
    fig, grid = panels(1, len(words), width=3.6 * len(words), height=3.0)
    for axes, (name, bins) in zip(grid.flat, words.items()):
        places = range(len(bins["rank"]))
        axes.bar(places, bins["dead"], label="fully pruned words", zorder=2, **BARS[0])
        axes.set_ylim(0, max(1, *bins["dead"]) * 1.15)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set_xticks(list(places)[::4], [f"{rank:,}" for rank in bins["rank"][::4]], fontsize=8)
        axes.set_xlabel("frequency rank of the word (1 the most frequent)", fontsize=8)
        axes.set_ylabel("fully pruned words", fontsize=8)
        axes.set_title(name, fontsize=9)
        right = axes.twinx()
        right.plot(places, [100 * density for density in bins["density"]], label="weights kept", **LINES[1])
        right.set_ylim(0, 100 * max(bins["density"]) * 1.15 or 1)
        right.set_ylabel("weights kept (%)", fontsize=8)
        handles = [part for own in (axes, right) for part in own.get_legend_handles_labels()[0]]
    names = [handle.get_label() for handle in handles]
    fig.legend(handles, names, frameon=False, fontsize=8, ncols=2, loc="outside lower center")
    return save(fig, path)
