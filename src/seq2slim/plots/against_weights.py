"""BLEU against the number of nonzero weights, after distillation and pruning (Kim & Rush 2016)."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.ticker import FuncFormatter, NullFormatter

from seq2slim.plots.style import figure, save

_MARKS = (
    {"marker": "o", "color": "#000000"},
    {"marker": "s", "color": "#1f6fb4"},
    {"marker": "^", "color": "#c04020"},
    {"marker": "x", "color": "#555555"},
    {"marker": "D", "color": "#3a9a6a"},
)


def bleu_against_weights(groups: dict[str, list[tuple[str, int, float]]], path: Path, joined: str = "") -> list[Path]:
    """Named points, one marker per group; weights on a logarithmic axis.

    Args:
      groups: legend -> (name beside the point or "", nonzero weights, above 0, BLEU); at most 5.
      path: of the figures, without suffix.
      joined: the group whose points are joined by a line, in the order of their weights.
    Returns: paths of the SVG and the PNG.
    Raises: ValueError for more groups than there are markers.
    """
    if len(groups) > len(_MARKS):
        raise ValueError(f"there are markers for {len(_MARKS)} groups, got {len(groups)}: {', '.join(groups)}")
    fig, axes = figure("weights that are not zero", "BLEU (greedy, test)", width=7.5, height=4.4)
    for mark, (label, points) in zip(_MARKS, groups.items()):
        points = sorted(points, key=lambda point: point[1])
        _, weights, scores = zip(*points)
        line = "-" if label == joined else "none"
        axes.plot(weights, scores, linestyle=line, linewidth=0.8, markersize=5, label=label, **mark)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _short(x)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(0.12, 0.1)
    fig.legend(frameon=False, fontsize=8, loc="outside right upper")
    _name(fig, axes, sorted((x, y, name) for points in groups.values() for name, x, y in points if name))
    return save(fig, path)


def apart(values: Sequence[float], gap: float) -> list[float]:
    """The positions nearest to ascending `values` (least squares) that lie at least `gap` apart, in the same order."""
    blocks: list[list[float]] = []  # of value - index * gap; their means must not fall: pool adjacent violators
    for index, value in enumerate(values):
        blocks.append([value - index * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    means = [fmean(block) for block in blocks for _ in block]
    return [mean + index * gap for index, mean in enumerate(means)]


def _name(fig, axes, points: list[tuple[float, float, str]]):
    """Writes names to the right of their points (x, y, name), sorted by x; spreads those that would overlap."""
    fig.draw_without_rendering()  # before this, positions are unknown
    columns: list[list[tuple[float, float, str]]] = []
    for point in points:
        if columns and point[0] < 1.1 * columns[-1][0][0]:
            columns[-1].append(point)
        else:
            columns.append([point])
    for column in columns:
        column.sort(key=lambda point: point[1])
        heights = [axes.transData.transform(point[:2])[1] * 72 / fig.dpi for point in column]
        for (x, y, name), height, place in zip(column, heights, apart(heights, gap=9)):
            offset = {"xytext": (14, place - height), "textcoords": "offset points", "va": "center"}
            line = {"arrowstyle": "-", "linewidth": 0.4, "color": "#888888", "relpos": (0, 0.5), "shrinkB": 3}
            axes.annotate(name, (x, y), **offset, fontsize=7, arrowprops=line)


def _short(x: float) -> str:
    return f"{x / 1e6:g}M" if x >= 1e6 else f"{x / 1e3:g}k" if x >= 1e3 else f"{x:g}"
