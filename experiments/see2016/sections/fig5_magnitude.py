"""Increase of perplexity against the largest deleted weight of a class (figure 5)."""

from experiments.see2016.measures import correlation, increases
from experiments.see2016.rows import Rows
from experiments.see2016.sections import Section
from seq2slim.plots.scatter import named_points


def section(rows: Rows, series: dict, path) -> Section:
    """The scatter, and its rank correlation."""
    own = increases(rows, "class_uniform")
    points = [(row["class"], row["largest_removed"], row["increase"]) for row in own]
    figures = named_points(
        points, "largest weight deleted, |w|", "increase of validation perplexity", path, logarithmic=True
    )
    rho, p, count = correlation(rows)
    text = f"Spearman's rank correlation over {count} classes: {rho:+.2f} (p = {p:.3f}, one-sided, by permutation).\n"
    return Section(text, figures)
