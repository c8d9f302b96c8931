"""BLEU against the percentage pruned, by scheme (figure 3)."""

from experiments.see2016.rows import BASELINE, Rows, mean_and_deviation
from experiments.see2016.sections import Section
from experiments.see2016.study import PAPER_SCHEMES, SHOWN_SCHEMES
from seq2slim.evaluation.statistics import spread
from seq2slim.plots.curves import against_percent_pruned
from seq2slim.runs import results


def section(rows: Rows, series: dict, path) -> Section:
    """The curves, and their numbers."""
    level = rows.spread("beam_bleu", **BASELINE)
    curves = {
        scheme.replace("_", "-"): [(0.0, *level[:2]), *rows.curve("beam_bleu", scheme=scheme)]
        for scheme in SHOWN_SCHEMES
        if len(rows.of(scheme=scheme))
    }
    figures = against_percent_pruned(curves, "BLEU", path)
    if above := above_class_blind(rows):
        beside = path.with_name(f"{path.name}-difference")
        figures += against_percent_pruned(above, "BLEU above class-blind", beside)
    lines = [
        {"pruned": f"{x:g}%", "seeds": len(rows.by_seed("beam_bleu", scheme=PAPER_SCHEMES[0], percent=x))}
        | {scheme: mean_and_deviation(rows.spread("beam_bleu", scheme=scheme, percent=x)) for scheme in SHOWN_SCHEMES}
        for x in rows.percents(model="pruned")
    ]
    table = results.table(lines, ["pruned", "seeds", *SHOWN_SCHEMES])
    text = f"BLEU, not retrained, over the seeds that have the row; baseline {mean_and_deviation(level)}.\n\n{table}"
    return Section(text, figures)


def above_class_blind(rows: Rows) -> dict[str, list[tuple[float, float, float]]]:
    """Scheme -> (percent, mean, standard deviation or nan) of its BLEU minus that of class-blind, per seed."""
    blind = PAPER_SCHEMES[0]
    curves = {}
    for scheme in PAPER_SCHEMES:
        pairs = {
            x: rows.differences("beam_bleu", {"scheme": scheme, "percent": x}, {"scheme": blind, "percent": x})
            for x in rows.percents(scheme=scheme)
        }
        if found := [(x, *spread(values)[:2]) for x, values in pairs.items() if values]:
            curves[scheme.replace("_", "-")] = found
    return curves
