"""BLEU against the number of weights that are not zero: what distillation and pruning buy (Kim & Rush 2016)."""

from pathlib import Path

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
    """Points with their names, a marker a group; weights on a logarithmic axis.

    Args:
      groups: legend -> (name beside the point or "", weights above 0, BLEU); at most 5.
      path: where to, without suffix.
      joined: the group whose points are joined by a line, in order of weights.
    Returns: paths of the SVG and the PNG.
    Raises: ValueError for more groups than there are markers.
    """
    if len(groups) > len(_MARKS):
        raise ValueError(f"there are markers for {len(_MARKS)} groups, got {len(groups)}: {', '.join(groups)}")
    fig, axes = figure("weights that are not zero", "BLEU (greedy, test)", width=7.5)
    for mark, (label, points) in zip(_MARKS, groups.items()):
        points = sorted(points, key=lambda point: point[1])
        _, weights, scores = zip(*points)
        line = "-" if label == joined else "none"
        axes.plot(weights, scores, linestyle=line, linewidth=0.8, markersize=5, label=label, **mark)
        for name, x, y in points:
            axes.annotate(name, (x, y), xytext=(5, 3), textcoords="offset points", fontsize=7)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _short(x)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(0.12, 0.1)
    fig.legend(frameon=False, fontsize=8, loc="outside right upper")
    return save(fig, path)


def _short(x: float) -> str:
    return f"{x / 1e6:g}M" if x >= 1e6 else f"{x / 1e3:g}k" if x >= 1e3 else f"{x:g}"
