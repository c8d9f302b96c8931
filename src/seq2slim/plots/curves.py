"""A quantity against the percentage pruned, one line per kind of model (See et al. 2016, figs. 3 and 6)."""

import math
from pathlib import Path

from seq2slim.plots.style import LINES, figure, save

Curve = list[tuple[float, float, float]]


def against_percent_pruned(
    curves: dict[str, Curve], y_label: str, path: Path, levels: dict[str, float] | None = None
) -> list[Path]:
    """Lines over the percentage of weights pruned, with bars of one standard deviation if there are several seeds.

    Args:
      curves: label -> (percent, mean, standard deviation or nan), ascending; at most as many as the style has lines.
      y_label: with its unit.
      path: of the figures, without suffix.
      levels: label -> height of a horizontal dotted line, for values that do not depend on the percentage.
    Returns: paths of the SVG and the PNG.
    Raises: ValueError for more curves than lines.
    """
    if len(curves) > len(LINES):
        raise ValueError(f"the style has {len(LINES)} kinds of line, got {len(curves)}: {', '.join(curves)}")
    fig, axes = figure("weights pruned (%)", y_label, width=7.5)
    for line, (label, points) in zip(LINES, curves.items()):
        x, mean, deviation = zip(*points)
        bars = None if all(map(math.isnan, deviation)) else deviation  # one seed has none
        axes.errorbar(x, mean, bars, capsize=2, elinewidth=0.8, **line)
        axes.plot([], [], label=label, **line)  # in the legend without the bars
    for number, (label, height) in enumerate((levels or {}).items()):
        axes.axhline(height, color="black", linewidth=0.8, linestyle=(0, (1, 1 + 2 * number)), label=label)
    fig.legend(frameon=False, fontsize=8, loc="outside right upper")  # beside the axes: curves may go anywhere
    return save(fig, path)
