"""Named points (See et al. 2016, fig. 5)."""

from pathlib import Path

from seq2slim.plots.style import figure, save


def named_points(
    points: list[tuple[str, float, float]], x_label: str, y_label: str, path: Path, logarithmic: bool = False
) -> list[Path]:
    """Points with their names beside them.

    Args:
      points: (name, x, y).
      x_label, y_label: with units.
      path: of the figures, without suffix.
      logarithmic: whether the y axis is; it stays linear unless all y are above 0.
    Returns: paths of the SVG and the PNG.
    """
    fig, axes = figure(x_label, y_label)
    middle = (min(x for _, x, _ in points) + max(x for _, x, _ in points)) / 2
    for number, (name, x, y) in enumerate(sorted(points, key=lambda point: point[1:])):
        # Towards the inside of the figure, and every other name lower, so that few names overlap.
        sign, align = (-1, "right") if x > middle else (1, "left")
        place = (5 * sign, -9 if number % 2 else 3)
        axes.plot(x, y, "o", color="black", markersize=4)
        axes.annotate(name, (x, y), xytext=place, textcoords="offset points", ha=align, fontsize=8)
    if logarithmic and all(y > 0 for _, _, y in points):
        axes.set_yscale("log")
    axes.margins(0.12, 0.15)
    return save(fig, path)
