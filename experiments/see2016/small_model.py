"""A small model without attention, of another language pair, shows the same findings (See et al. 2016, sec. 5).

    make experiment EXP=small_model ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

The options name the study that the rows belong to; what is trained is on --small, by default the Bible.
Rows: one layer, no attention, the Bible from English to French: baseline, control, pruned class-blind 20 to 90%, by the
other schemes at 60 and 90%, retrained at 60 and 90%; BLEU on valid, as the paper's. First seed.
Cost: about 30 minutes on 2 cores with the recipe small.
Expected: in the paper 60% goes at no immediate loss, and retrained 90% comes back; here 40% and 60%.
"""

from dataclasses import dataclass, replace

from experiments.see2016 import fig6_retraining, study
from experiments.see2016 import report as study_report
from experiments.see2016.rows import BASELINE, Rows
from experiments.see2016.study import Entry, Models, Section, compared, model_entry
from seq2slim.plots.curves import against_percent_pruned
from seq2slim.runs import results

TAKES_PUBLISHED_ROWS = True
start = study.start
smoke = study.smoke
CURVE = (0.2, 0.4, 0.6, 0.8, 0.9)
RETRAINED = (0.6, 0.9)


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options."""


def main(config, runner):
    """Runs this part of the study, and writes the study's report from all that is there."""
    study_report.run(["small_model"], config, runner)


def entries(config: study.Config, seed: int) -> list[Entry]:
    """The second configuration, first seed."""
    if not config.is_first(seed):
        return []
    model = replace(config.settings.model, layers=1, attention="none", attention_span=None, input_feeding=False)
    models, columns = Models(config, seed, config.small, model), {"corpus": config.small.name}
    made = [
        model_entry(models, "baseline", models.baseline, split="valid", **columns),
        model_entry(models, "control", models.control, split="valid", **columns),
    ]
    for scheme in study.SCHEMES:
        made += [
            model_entry(models, "pruned", models.pruned(x, scheme), x, "valid", scheme=scheme, **columns)
            for x in (CURVE if scheme == "class_blind" else RETRAINED)
        ]
    for x in RETRAINED:
        made.append(model_entry(models, "retrained", models.retrained(x), x, "valid", **columns))
        made += compared(models, x, "valid", **columns)
    return made


def section(rows: Rows, series: dict, path) -> Section:
    """The curves, and the models in numbers."""
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
