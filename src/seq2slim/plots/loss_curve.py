"""Validation loss through training and pruning: retrained afterwards (See et al. 2016, fig. 7), or on the way."""

from pathlib import Path

from seq2slim.plots.style import LINES, figure, save


def loss_through_pruning(
    baseline: list[tuple], retrained: list[tuple], control: list[tuple], sparsity: float, path: Path
):
    """Loss of a model that is trained, pruned at the vertical line, and retrained, and of its dense control.

    Args:
      baseline, retrained, control: (steps since the run began, validation loss in nats per target token), ascending.
      sparsity: fraction pruned, in [0, 1].
      path: of the figures, without suffix.
    Returns: paths of the SVG and the PNG.
    """
    fig, axes = figure("training steps", "validation loss (nats per token)")
    steps, losses = zip(*baseline[1:])  # the untrained model's loss would flatten the curves
    pruned_at = steps[-1]
    axes.plot(steps, losses, label="baseline", **LINES[0])
    for curve, label, line in (
        (control, "control: dense, trained on", LINES[2]),
        (retrained, f"{100 * sparsity:g}% pruned, retrained", LINES[1]),
    ):
        axes.plot([pruned_at + step for step, _ in curve], [loss for _, loss in curve], label=label, **line)
    axes.axvline(pruned_at, color="black", linewidth=0.8, linestyle=":")
    best = min(losses)
    axes.axhline(best, color="black", linewidth=0.8, linestyle=":")
    # The jump is cut off at the top and its height written beside it: in full, it would flatten the curves.
    jump, lowest = retrained[0][1], min(loss for curve in (baseline, control, retrained) for _, loss in curve)
    axes.set_ylim(lowest - 0.15 * (losses[0] - lowest), losses[0] + 0.05 * (losses[0] - lowest))
    beside = {"xytext": (18, -2), "textcoords": "offset points", "fontsize": 8}
    axes.annotate(f"pruned: a jump to {jump:.2f} nats", (pruned_at, losses[0]), **beside)
    axes.annotate(
        f"best of the baseline {best:.3f}", (steps[0], best), xytext=(0, -10), textcoords="offset points", fontsize=8
    )
    axes.legend(frameon=False, fontsize=8)
    return save(fig, path)


def losses_of_runs(curves: dict[str, list[tuple]], path: Path) -> list[Path]:
    """Validation loss of several runs over their steps.

    Args:
      curves: label -> (steps, validation loss in nats per target token), ascending; the first point, of the untrained
        model, is left out: its loss would flatten the curves.
      path: of the figures, without suffix.
    Returns: paths of the SVG and the PNG.
    """
    fig, axes = figure("training steps", "validation loss (nats per token)")
    for (label, curve), line in zip(curves.items(), (LINES[2], LINES[1], LINES[0])):
        steps, losses = zip(*curve[1:])
        axes.plot(steps, losses, label=label, **line)
    axes.legend(frameon=False, fontsize=8)
    return save(fig, path)
