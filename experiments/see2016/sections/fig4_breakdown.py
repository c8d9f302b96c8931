"""Increase of perplexity by weight class (figure 4)."""

from experiments.see2016.measures import increases
from experiments.see2016.rows import Rows
from experiments.see2016.sections import Section
from experiments.see2016.study import PAPER_SCHEMES
from seq2slim.plots.bars import grouped_bars
from seq2slim.runs import results


def section(rows: Rows, series: dict, path) -> Section:
    """Bars by class and scheme, and their table."""
    found = {scheme: increases(rows, scheme) for scheme in PAPER_SCHEMES if len(rows.of(scheme=scheme))}
    names = [row["class"] for row in next(iter(found.values()))]
    bars = {scheme.replace("_", "-"): [row["increase"] for row in own] for scheme, own in found.items()}
    figures = grouped_bars(names, bars, "increase of validation perplexity", path, logarithmic=True)
    columns = {"scheme": "", "class": "", "class_weights": ",d", "class_sparsity": ".1%", "increase": "+.2f"}
    table = results.table([row for own in found.values() for row in own], columns)
    baseline = rows.of(model="baseline").rows[0]["perplexity"]
    text = f"Perplexity of valid, {baseline:.2f} of the baseline, with one class pruned; a bar that is missing is no"
    return Section(f"{text} increase.\n\n{table}", figures)
