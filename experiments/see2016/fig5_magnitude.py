"""The larger the largest weight deleted from a class, the larger the damage (See, Luong & Manning 2016, fig. 5).

    make experiment EXP=fig5_magnitude ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: those of fig4_breakdown under class-uniform: each class 90% pruned alone.
Cost: those of fig4_breakdown; nothing once that is there.
Expected: in the paper a positive relation; here, with 8 classes, none.
"""

from dataclasses import dataclass

from experiments.see2016 import fig4_breakdown, study
from experiments.see2016 import report as study_report
from experiments.see2016.rows import Rows
from experiments.see2016.study import Entry, Section
from seq2slim.evaluation.statistics import permutation_p, spearman
from seq2slim.plots.scatter import named_points

TAKES_PUBLISHED_ROWS = True
start = study.start
smoke = study.smoke


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options."""


def main(config, runner):
    """Runs this part of the study, and writes the study's report from all that is there."""
    study_report.run(["fig5_magnitude"], config, runner)


def entries(config: study.Config, seed: int) -> list[Entry]:
    """Each class alone under class-uniform."""
    return fig4_breakdown.breakdown(config, seed, ("class_uniform",))


def correlation(rows: Rows) -> tuple[float, float, int]:
    """(Spearman's rho, one-sided p of a positive one, points): largest deleted |w| of a class, perplexity change."""
    own = fig4_breakdown.increases(rows, "class_uniform")
    x, y = ([row[name] for row in own] for name in ("largest_removed", "increase"))
    return spearman(x, y), permutation_p(x, y), len(own)


def section(rows: Rows, series: dict, path) -> Section:
    """The scatter, and its rank correlation."""
    own = fig4_breakdown.increases(rows, "class_uniform")
    points = [(row["class"], row["largest_removed"], row["increase"]) for row in own]
    figures = named_points(
        points, "largest weight deleted, |w|", "increase of validation perplexity", path, logarithmic=True
    )
    rho, p, count = correlation(rows)
    text = f"Spearman's rank correlation over {count} classes: {rho:+.2f} (p = {p:.3f}, one-sided, by permutation).\n"
    return Section(text, figures)
