"""BLEU of pruned, retrained and sparsely trained models (figure 6)."""

from experiments.see2016.rows import Rows, better_dense, difference, mean_and_deviation, retrained
from experiments.see2016.sections import Section
from seq2slim.plots.curves import against_percent_pruned
from seq2slim.runs import results

AIMS = {80.0: -0.5, 90.0: -1.5}  # percent -> least BLEU against the better of baseline and control
LABELS = {
    "pruned": "pruned",
    "retrained": "pruned and retrained",
    "sparse": "sparse from the beginning",
    "ticket": "the same, initialised as the baseline",
    "shuffled": "the same, masks shuffled",
}


def section(rows: Rows, series: dict, path) -> Section:
    """The curves, the table of models and the paired bootstraps, for each corpus."""
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
    """One line per kind of model and percentage: BLEU and perplexities, mean and deviation over seeds."""
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
    """One line per percentage: retrained against the better of baseline and control, and against our aim."""
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
    """One line per paired bootstrap."""
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
