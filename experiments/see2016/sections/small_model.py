"""BLEU of the small model without attention (section 5)."""

from experiments.see2016.rows import BASELINE, Rows
from experiments.see2016.sections import Section, fig6_retraining
from seq2slim.plots.curves import against_percent_pruned
from seq2slim.runs import results


def section(rows: Rows, series: dict, path) -> Section:
    """The curves, and the table of models."""
    baseline = rows.spread("beam_bleu", **BASELINE)[:2]
    curves = {
        "pruned class-blind": [(0.0, *baseline), *rows.curve("beam_bleu", scheme="class_blind")],
        "class-uniform": rows.curve("beam_bleu", scheme="class_uniform"),
        "class-distribution": rows.curve("beam_bleu", scheme="class_distribution"),
        "class-blind, retrained": rows.curve("beam_bleu", model="retrained"),
    }
    figures = against_percent_pruned(curves, "BLEU", path, {"control": rows.spread("beam_bleu", model="control").mean})
    lines = [
        {"pruned": f"{row['percent']:g}%", "scheme": row.get("scheme", "class_blind" if row["percent"] else None)} | row
        for row in rows.rows
        if "beam_bleu" in row
    ]
    columns = {
        "model": "", "scheme": "", "pruned": "", "weights": ",d", "beam_bleu": ".2f", "greedy_bleu": ".2f",
        "valid_perplexity": ".2f", "train_perplexity": ".2f",
    }  # fmt: skip
    text = f"{rows.rows[0]['corpus']}, valid, one layer, no attention, one seed:\n\n{results.table(lines, columns)}"
    return Section(f"{text}\n{fig6_retraining.comparison_table(rows)}", figures)
