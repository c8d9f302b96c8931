"""Validation loss through training, pruning and retraining (figure 7)."""

from experiments.see2016.rows import Rows, mean_and_deviation
from experiments.see2016.sections import Section
from seq2slim.plots.loss_curve import loss_through_pruning
from seq2slim.runs import results


def section(rows: Rows, series: dict, path) -> Section:
    """The curve of the first seed, and the losses of all seeds."""
    seed = rows.rows[0]["seed"]
    curves = {
        row["model"]: [tuple(point) for point in series[row["identity"]]["validation_loss"]]
        for row in rows.of(seed=seed).rows
    }
    sparsity = rows.of(seed=seed, model="retrained").rows[0]["percent"] / 100
    figures = loss_through_pruning(curves["baseline"], curves["retrained"], curves["control"], sparsity, path)
    names = ("first_loss", "best_loss", "last_loss")
    lines = [
        {"model": model} | {name: mean_and_deviation(rows.spread(name, model=model), 3) for name in names}
        for model in ("baseline", "control", "retrained")
    ]
    text = f"Validation loss, nats per token; the figure is of seed {seed}.\n\n"
    return Section(text + results.table(lines, ["model", *names]), figures)
