"""Made-up rows of the study of See et al. (2016), and the verdict of a claim on them."""

from experiments.see2016.evidence import Claim, Evidence, judge
from experiments.see2016.rows import Rows


def rows_of(experiment, *lines):
    """Rows with what every row has."""
    return [
        {
            "experiment": experiment, "study": "toy", "baseline": "b", "command": "make it", "part": "main",
            "order": order, "identity": f"{experiment}{order}", "seed": 1, **line,
        }
        for order, line in enumerate(lines)
    ]  # fmt: skip


def bleu(model, percent, *values, **columns):
    """Rows of one model over seeds 1, 2, ..."""
    return [
        {
            "model": model,
            "percent": float(percent),
            "seed": seed,
            "beam_bleu": value,
            "perplexity": 100 / abs(value),
            **columns,
        }
        for seed, value in enumerate(values, start=1)
    ]


BASE = bleu("baseline", 0, 30.0, 30.2, 29.8)


def verdict(rule, rows, series=None):
    """What the table says."""
    return judge(Claim("", "", "", "", rule), Evidence(Rows(rows), series or {}))["verdict"]


HOLDS, NOT, UNTESTED, NOT_RUN = "holds", "does not hold at this scale", "cannot be tested here", "not run"


def fig6(at_80, control=(30.0, 30.2, 29.8), sparse=(29.0, 29.2, 28.8), at_90=(29.7, 29.9, 29.5)):
    return rows_of(
        "fig6_retraining", *BASE, *bleu("control", 0, *control), *bleu("retrained", 80, *at_80),
        *bleu("retrained", 90, *at_90), *bleu("sparse", 80, *sparse),
    )  # fmt: skip
