"""Without retraining, pruning all weight classes together loses the least BLEU (See, Luong & Manning 2016, fig. 3).

    make experiment EXP=fig3_schemes ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: the baseline, and pruned by each of the three schemes and at random, 10 to 90%, not retrained; the first seed has
all percentages, the others those of fig6_retraining.
Cost: a baseline a seed, and 68 evaluations with beam search (not greedy: the class-blind points are then the very rows
of fig6_retraining) of 10 to 20 s on 2 cores.
Expected: in the paper class-blind stands highest throughout; here the three keep within a BLEU of one another to 60%,
the random mask falls at once, and about 40% goes at little loss.
"""

from dataclasses import dataclass

from experiments.see2016 import report as study_report
from experiments.see2016 import study
from experiments.see2016.rows import BASELINE, Rows, mean_and_deviation
from experiments.see2016.study import Entry, Models, Section, model_entry
from seq2slim.evaluation.statistics import spread
from seq2slim.plots.curves import against_percent_pruned
from seq2slim.runs import results

TAKES_PUBLISHED_ROWS = True
start = study.start
smoke = study.smoke
SHOWN = (*study.SCHEMES, "random")


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options."""


def main(config, runner):
    """Runs this part of the study, and writes the study's report from all that is there."""
    study_report.run(["fig3_schemes"], config, runner)


def entries(config: study.Config, seed: int) -> list[Entry]:
    """The baseline, and each scheme at each percentage."""
    models = Models(config, seed)
    sparsities = sorted({*config.curve, *config.repeated}) if config.is_first(seed) else config.repeated
    return [
        model_entry(models, "baseline", models.baseline),
        *(
            model_entry(models, "pruned", models.pruned(x, scheme), x, scheme=scheme)
            for scheme in SHOWN
            for x in sparsities
        ),
    ]


def section(rows: Rows, series: dict, path) -> Section:
    """The curves, and their numbers."""
    level = rows.spread("beam_bleu", **BASELINE)
    curves = {
        scheme.replace("_", "-"): [(0.0, *level[:2]), *rows.curve("beam_bleu", scheme=scheme)]
        for scheme in SHOWN
        if len(rows.of(scheme=scheme))
    }
    figures = against_percent_pruned(curves, "BLEU", path)
    if above := above_class_blind(rows):
        beside = path.with_name(f"{path.name}-difference")
        figures += against_percent_pruned(above, "BLEU above class-blind", beside)
    lines = [
        {"pruned": f"{x:g}%", "seeds": len(rows.by_seed("beam_bleu", scheme=SHOWN[0], percent=x))}
        | {scheme: mean_and_deviation(rows.spread("beam_bleu", scheme=scheme, percent=x)) for scheme in SHOWN}
        for x in rows.percents(model="pruned")
    ]
    table = results.table(lines, ["pruned", "seeds", *SHOWN])
    text = f"BLEU, not retrained, over the seeds that have the row; baseline {mean_and_deviation(level)}.\n\n{table}"
    return Section(text, figures)


def above_class_blind(rows: Rows) -> dict[str, list[tuple[float, float, float]]]:
    """Scheme -> (percent, mean, standard deviation or nan) of its BLEU above class-blind's, itself 0, seed by seed."""
    blind = study.SCHEMES[0]
    curves = {}
    for scheme in study.SCHEMES:
        pairs = {
            x: rows.differences("beam_bleu", {"scheme": scheme, "percent": x}, {"scheme": blind, "percent": x})
            for x in rows.percents(scheme=scheme)
        }
        if found := [(x, *spread(values)[:2]) for x, values in pairs.items() if values]:
            curves[scheme.replace("_", "-")] = found
    return curves
