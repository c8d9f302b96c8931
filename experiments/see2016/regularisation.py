"""Less pruned models overfit more: the gap between training and validation loss shrinks (See et al. 2016, sec. 4.3).

    make experiment EXP=regularisation ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: those of fig6_retraining: perplexity of a sample of training pairs and of valid, pruned and retrained.
Cost: nothing once fig6_retraining is there.
Expected: the gap falls with the percentage pruned, here from about 60% on.
"""

from dataclasses import dataclass

from experiments.see2016 import fig6_retraining, study
from experiments.see2016 import report as study_report
from experiments.see2016.rows import CONTROL, Rows, gap, mean_and_deviation, train_loss, valid_loss
from experiments.see2016.study import Entry, Models, Section
from seq2slim.plots.curves import against_percent_pruned
from seq2slim.runs import results

TAKES_PUBLISHED_ROWS = True
start = study.start
smoke = study.smoke


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options."""


def main(config, runner):
    """Runs this part of the study, and writes the study's report from all that is there."""
    study_report.run(["regularisation"], config, runner)


def entries(config: study.Config, seed: int) -> list[Entry]:
    """Baseline, control, pruned and retrained."""
    once = config.once if config.is_first(seed) else ()
    return fig6_retraining.retrained_entries(Models(config, seed), sorted({*config.repeated, *once}))


def section(rows: Rows, series: dict, path) -> Section:
    """Losses of training and validation against the percentage, retrained; 0% is the control, trained as long."""
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
