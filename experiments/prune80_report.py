"""The report of prune80, from its rows and series alone: per run a table, the paired bootstraps and a figure."""

from pathlib import Path

from experiments import report
from seq2slim.plots.loss_curve import loss_through_pruning, losses_of_runs
from seq2slim.runs import results

NAME = "prune80"
MODEL_COLUMNS = {
    "label": "",
    "split": "",
    "weights": ",d",
    "non_zero": ",d",
    "sparsity": ".1%",
    "perplexity": ".2f",
    "valid_perplexity": ".2f",
    "train_perplexity": ".2f",
    "greedy_bleu": ".2f",
    "beam_bleu": ".2f",
    "seconds": ",.0f",
}
TERMINAL_COLUMNS = {
    name: spec for name, spec in MODEL_COLUMNS.items() if name not in ("valid_perplexity", "train_perplexity")
}
COMPARISON_COLUMNS = {
    "label": "",
    "split": "",
    "baseline_bleu": ".2f",
    "system_bleu": ".2f",
    "difference": "+.2f",
    "p_value": ".3f",
}


def write(rows: list[dict], series: dict, folder: Path, claim: str) -> list[Path]:
    """Writes report.md and the figures. claim: the first line of the experiment. Returns: the paths written."""
    groups: dict[str, list[dict]] = {}
    for row in sorted(rows, key=lambda row: row["order"]):
        groups.setdefault(row["group"], []).append(row)
    figures = {}
    for own in series.values():
        curve = own["validation_loss"]
        path = folder / ("loss-" + report.slug(curve["group"]))
        if "baseline" in curve:
            lines = (curve[label] for label in ("baseline", "retrained", "control"))
            figures[curve["group"]] = loss_through_pruning(*lines, curve["sparsity"], path)
        else:
            lines = {label: line for label, line in curve.items() if label not in ("group", "sparsity")}
            figures[curve["group"]] = losses_of_runs(lines, path)
    text = f"# {NAME}\n\n{claim}\n"
    for name, own in sorted(groups.items()):
        text += _section(name, own, groups.get(own[0].get("beside"), []), figures.get(name))
    report.write(folder / "report.md", text)
    return [folder / "report.md", *(path for paths in figures.values() for path in paths)]


def _section(name: str, rows: list[dict], beside: list[dict], figure: list[Path] | None) -> str:
    """One run. beside: rows of the one-shot run of the same settings, if a run pruned on the way has one."""
    models = [row for row in rows if "beam_bleu" in row]
    shown = models + [
        row | {"label": f"one-shot: {row['label']}"}
        for row in beside
        if row["label"] in ("control", "retrained") and "beam_bleu" in row
    ]
    comparisons = [row | {"difference": row["system_bleu"] - row["baseline_bleu"]} for row in rows if "p_value" in row]
    text = f"\n## {name}\n\n{results.table(shown, MODEL_COLUMNS)}\n"
    text += f"BLEU: greedy, and beam {models[0]['beam']}; {models[0]['signature']}. "
    text += "Seconds: of the stage that made the model; - where it was interrupted.\n\n"
    for split in dict.fromkeys(row["split"] for row in models):
        bleu = {row["label"]: row["beam_bleu"] for row in shown if row["split"] == split}
        text += f"- {split}: {_verdict(bleu)}.\n"
    last = models[-1]["label"]
    text += f"\nPaired bootstrap, {last} against each:\n\n{results.table(comparisons, COMPARISON_COLUMNS)}\n"
    if figure:
        text += f"![validation loss]({figure[0].name})\n\n"
    return text + f"Command: `{rows[0]['command']}`\n"


def _verdict(bleu: dict[str, float]) -> str:
    """What the BLEU of the models of one split, by label, says."""
    if "retrained" in bleu:
        pruned = next(label for label in bleu if label.startswith("pruned"))
        better = max(bleu["baseline"], bleu["control"])
        return (
            f"pruned without retraining {bleu[pruned] - bleu['baseline']:+.2f} BLEU against the baseline; "
            f"retrained {bleu['retrained'] - better:+.2f} against the better of baseline and control"
        )
    own = next(label for label in bleu if label != "control" and not label.startswith("one-shot"))
    others = {label: value for label, value in bleu.items() if label.endswith("control")}
    better = max(others, key=others.get)
    text = f"{own} {bleu[own] - others[better]:+.2f} BLEU against the better control ({better})"
    retrained = bleu.get("one-shot: retrained")
    return text if retrained is None else f"{text}; {bleu[own] - retrained:+.2f} against one-shot pruning, retrained"
