"""Retraining brings a pruned model back; training the same sparse model from the start does not (See et al., fig. 6).

    make experiment EXP=fig6_retraining ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: baseline | its control, trained on for as many steps as a pruned model is retrained | pruned class-blind 40 to 90%
| retrained | trained sparse from the beginning, from fresh numbers | the same from the numbers of the baseline (the
lottery ticket) | the same from the fresh numbers under the masks shuffled within each class. All seeds have the first
four and sparse from the beginning at 80%; the first also sparse at 50 and 90%, ticket and shuffled at 80 and 90%, and
baseline to retrained at 80 and 90% on a second corpus.
Cost: with the recipe small on Multi30k about 6 minutes of 2 cores a training and 4.5 a retraining: 35 minutes for each
seed, an hour and a half more for what the first alone has.
Expected: retrained within a BLEU of the baseline to 80%; sparse from the beginning below it; shuffled lower still.
"""

from dataclasses import dataclass

from experiments.see2016 import report as study_report
from experiments.see2016 import study
from experiments.see2016.rows import Rows, better_dense, difference, mean_and_deviation, retrained
from experiments.see2016.study import Entry, Models, Section, compared, model_entry
from seq2slim.plots.curves import against_percent_pruned
from seq2slim.runs import results

TAKES_PUBLISHED_ROWS = True
start = study.start
smoke = study.smoke
HEADLINE = (0.8, 0.9)
AIMS = {80.0: -0.5, 90.0: -1.5}  # BLEU against the better of baseline and control that we set out for
LABELS = {
    "pruned": "pruned",
    "retrained": "pruned and retrained",
    "sparse": "sparse from the beginning",
    "ticket": "the same, initialised as the baseline",
    "shuffled": "the same, masks shuffled",
}


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options."""


def main(config, runner):
    """Runs this part of the study, and writes the study's report from all that is there."""
    study_report.run(["fig6_retraining"], config, runner)


def entries(config: study.Config, seed: int) -> list[Entry]:
    """The models of one seed, with the controls and the comparisons."""
    models, first = Models(config, seed), config.is_first(seed)
    made = retrained_entries(models, sorted({*config.repeated, *(config.once if first else ())}))
    for x in sorted({0.8, 0.9, *config.once}) if first else (0.8,):
        made.append(model_entry(models, "sparse", models.sparse(x), x))
    for x in HEADLINE if first else ():
        made.append(model_entry(models, "ticket", models.ticket(x), x))
        made.append(model_entry(models, "shuffled", models.shuffled(x), x))
    for x in sorted({*HEADLINE} & {*config.repeated}):
        made += compared(models, x)
    if first and config.headline != config.corpus:
        second = Models(config, seed, config.headline)
        columns = {"part": "headline", "corpus": config.headline.name}
        made += retrained_entries(second, HEADLINE, **columns)
        for x in HEADLINE:
            made += compared(second, x, **columns)
    return made


def retrained_entries(models: Models, sparsities, **columns) -> list[Entry]:
    """Baseline, control, and at each sparsity pruned and retrained."""
    made = [
        model_entry(models, "baseline", models.baseline, **columns),
        model_entry(models, "control", models.control, **columns),
    ]
    for x in sparsities:
        made.append(model_entry(models, "pruned", models.pruned(x), x, **columns))
        made.append(model_entry(models, "retrained", models.retrained(x), x, **columns))
    return made


def section(rows: Rows, series: dict, path) -> Section:
    """The curves, the models in numbers, and the paired bootstraps, of each corpus."""
    main = rows.of(part="main")
    curves = {label: main.curve("beam_bleu", model=name) for name, label in LABELS.items()}
    levels = {name: main.spread("beam_bleu", model=name) for name in ("baseline", "control")}
    figures = against_percent_pruned(
        {label: curve for label, curve in curves.items() if curve}, "BLEU", path,
        {name: found.mean for name, found in levels.items() if found},
    )  # fmt: skip
    text = f"{model_table(main)}\n{summary(main)}{comparison_table(main)}"
    headline = rows.of(part="headline")
    if len(headline):
        text += f"\n{headline.rows[0]['corpus']}, one seed:\n\n{model_table(headline)}\n"
        text += summary(headline, {}) + comparison_table(headline)
    return Section(text, figures)


def model_table(rows: Rows) -> str:
    """One line a kind of model and percentage: BLEU and perplexities, mean and deviation over seeds."""
    kinds = dict.fromkeys((row["model"], row["percent"]) for row in rows.rows if "beam_bleu" in row)
    names = ["baseline", "control", *LABELS]
    columns = ("beam_bleu", "greedy_bleu", "perplexity", "valid_perplexity", "train_perplexity")
    lines = []
    for model, x in sorted(kinds, key=lambda kind: (names.index(kind[0]), kind[1])):
        own = rows.of(model=model, percent=x)
        lines.append(
            {"model": model, "pruned": f"{x:g}%", "seeds": len(own.by_seed("beam_bleu"))}
            | {name: mean_and_deviation(own.spread(name)) for name in columns}
        )
    return results.table(lines, ["model", "pruned", "seeds", *columns])


def summary(rows: Rows, aims: dict[float, float] = AIMS) -> str:
    """A line for each percentage: retrained against the better of baseline and control, and against an aim of ours."""
    if (better := better_dense(rows)) is None:
        return ""
    text = ""
    for x in rows.percents(model="retrained"):
        if found := difference(rows, retrained(x), {"model": better, "percent": 0.0}):
            text += f"- {x:g}%: retrained {found} BLEU against the better of baseline and control, the {better}"
            if aim := aims.get(x):
                text += f"; the aim, at least {aim:g}, is {'met' if found.mean >= aim else 'missed'}"
            text += ".\n"
    return text + "\n"


def comparison_table(rows: Rows) -> str:
    """One line a paired bootstrap."""
    lines = [
        {
            "comparison": row["model"], "pruned": f"{row['percent']:g}%", "seed": row["seed"],
            "difference": row["system_bleu"] - row["baseline_bleu"], "p_value": row["p_value"],
        }
        for row in rows.rows
        if "p_value" in row
    ]  # fmt: skip
    columns = {"comparison": "", "pruned": "", "seed": "", "difference": "+.2f", "p_value": ".3f"}
    return "Paired bootstrap on each seed's translations:\n\n" + results.table(lines, columns)
