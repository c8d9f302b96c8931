"""Training and validation loss against the percentage pruned (section 4.3)."""

from experiments.see2016.rows import CONTROL, Rows, gap, mean_and_deviation, train_loss, valid_loss
from experiments.see2016.sections import Section
from seq2slim.plots.curves import against_percent_pruned
from seq2slim.runs import results


def section(rows: Rows, series: dict, path) -> Section:
    """Training and validation loss of retrained models against the percentage; 0% is the control, trained as long."""
    curves = {
        label: [(0.0, *rows.spread(value, **CONTROL)[:2]), *rows.curve(value, model="retrained")]
        for label, value in (("validation", valid_loss), ("training sample", train_loss))
    }
    figures = against_percent_pruned(curves, "loss (nats per token)", path)
    lines = []
    for model, x in dict.fromkeys((row["model"], row["percent"]) for row in rows.rows):
        own = rows.of(model=model, percent=x)
        values = {"training": train_loss, "validation": valid_loss, "gap": gap}
        lines.append(
            {"model": model, "pruned": f"{x:g}%", "seeds": len(own.seeds)}
            | {name: mean_and_deviation(own.spread(value), 3) for name, value in values.items()}
        )
    table = results.table(lines, ["model", "pruned", "seeds", "training", "validation", "gap"])
    return Section(
        f"Loss in nats per token; in the figure 0% is the control.\n\n{table}",
        figures,
    )
