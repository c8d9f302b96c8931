"""The style of all figures: readable in grey, at half a page, on paper and on a screen."""

from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Distinguishable by dashes and markers without colour.
LINES = (
    {"color": "#000000", "linestyle": "-"},
    {"color": "#1f6fb4", "linestyle": "-", "marker": "o", "markersize": 3},
    {"color": "#888888", "linestyle": "--"},
    {"color": "#c04020", "linestyle": "-.", "marker": "s", "markersize": 3},
    {"color": "#555555", "linestyle": ":", "marker": "^", "markersize": 4},
    {"color": "#3a9a6a", "linestyle": "--", "marker": "x", "markersize": 4},
)
# Bars side by side, distinguishable by hatching without colour.
BARS = (
    {"facecolor": "#e8e8e8", "edgecolor": "#000000", "linewidth": 0.6},
    {"facecolor": "#9fc3e6", "edgecolor": "#000000", "linewidth": 0.6, "hatch": "///"},
    {"facecolor": "#777777", "edgecolor": "#000000", "linewidth": 0.6},
    {"facecolor": "#ffffff", "edgecolor": "#c04020", "linewidth": 0.6, "hatch": "xxx"},
)


def figure(x_label: str, y_label: str, width: float = 6.0, height: float = 3.4):
    """A figure with one pair of named axes (units in the names). Returns: (figure, axes)."""
    fig = _empty(width, height)
    axes = fig.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.5)
    return fig, axes


def panels(rows: int, columns: int, width: float = 6.0, height: float = 3.4):
    """A figure of several panels. Returns: (figure, array [rows, columns] of axes)."""
    fig = _empty(width, height)
    return fig, fig.subplots(rows, columns, squeeze=False)


def save(fig, path: Path) -> list[Path]:
    """Writes `path` as .svg and .png; equal figures give equal bytes. Returns: both paths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path.with_suffix(".svg"), path.with_suffix(".png")]
    with matplotlib.rc_context({"svg.hashsalt": "seq2slim"}):
        fig.savefig(written[0], metadata={"Date": None})
        fig.savefig(written[1], dpi=150, metadata={"Software": None})
    return written


def _empty(width: float, height: float) -> Figure:
    """A figure without pyplot: it needs no screen, and leaves a notebook's current figure alone."""
    fig = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(fig)
    return fig
