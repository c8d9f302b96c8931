"""Groups of bars side by side (See et al. 2016, fig. 4)."""

from pathlib import Path

from seq2slim.plots.style import BARS, figure, save


def grouped_bars(
    groups: list[str],
    bars: dict[str, list[float]],
    y_label: str,
    path: Path,
    logarithmic: bool = False,
    levels: dict[str, float] | None = None,
) -> list[Path]:
    """One group of bars per name, with one bar of each kind.

    Args:
      groups: names under the axis.
      bars: label -> heights, one per group; at most as many labels as the style has bars.
      y_label: with its unit.
      path: of the figures, without suffix.
      logarithmic: of the heights; one that is not above 0 has no bar then.
      levels: label -> height of a horizontal dotted line.
    Returns: paths of the SVG and the PNG.
    Raises: ValueError for more kinds than the style has, or if the numbers of heights and groups differ.
    """
    if len(bars) > len(BARS) or any(len(heights) != len(groups) for heights in bars.values()):
        sizes = {label: len(heights) for label, heights in bars.items()}
        raise ValueError(f"at most {len(BARS)} kinds of {len(groups)} heights each are needed, got {sizes}")
    fig, axes = figure("", y_label, width=max(6.0, 0.75 * len(groups)))
    width = 0.8 / len(bars)
    for number, (style, (label, heights)) in enumerate(zip(BARS, bars.items())):
        places = [group + (number - (len(bars) - 1) / 2) * width for group in range(len(groups))]
        axes.bar(places, heights, width, label=label, zorder=2, **style)
    for label, height in (levels or {}).items():
        axes.axhline(height, color="black", linewidth=0.8, linestyle=":", label=label, zorder=3)
    if logarithmic:
        axes.set_yscale("log")
    axes.set_xticks(range(len(groups)), groups, rotation=30, ha="right", fontsize=8)
    axes.legend(frameon=False, fontsize=8)
    return save(fig, path)
