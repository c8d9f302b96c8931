"""The report of kim2016, from its rows alone: per run a table, the verdicts on the paper's claims, and a figure."""

import statistics
from pathlib import Path

from experiments import report
from seq2slim.plots.against_weights import bleu_against_weights
from seq2slim.runs import results

COLUMNS = {
    "label": "", "seeds": "", "weights": ",d", "non_zero": ",d", "ratio": ".1f",
    "greedy_bleu": ".2f", "greedy_difference": "+.2f", "beam_bleu": ".2f", "beam_difference": "+.2f",
    "perplexity": ".2f", "p(w*)": ".2%", "n_best_mass": ".2%", "greedy_rate": ",.1f", "beam_rate": ",.1f",
}  # fmt: skip
TERMINAL_COLUMNS = {
    name: spec for name, spec in COLUMNS.items() if name not in ("seeds", "weights", "ratio", "n_best_mass")
}
NAME = "kim2016"
TEACHER, BASELINE, SEQ, BEST = "teacher", "student", "Seq-KD", "Seq-KD + Seq-Inter"  # labels of rows
MEMORISES = 1.5  # train BLEU over valid BLEU: above it the teacher's own output teaches little
JACKKNIFED = ", jackknifed"
_AVERAGED = ("greedy_bleu", "beam_bleu", "perplexity", "mode", "n_best_mass")


def averaged(rows: list[dict]) -> list[dict]:
    """One row per label: means over the seeds, their number, and the standard deviation of greedy BLEU if several."""
    labels: dict[str, list[dict]] = {}
    for row in sorted(rows, key=lambda row: row["order"]):
        labels.setdefault(row["label"], []).append(row)
    found = []
    for own in labels.values():
        means = {name: statistics.fmean(row[name] for row in own) for name in _AVERAGED}
        spread = statistics.stdev(row["greedy_bleu"] for row in own) if len(own) > 1 else None
        found.append({**own[0], **means, "seeds": len(own), "greedy_deviation": spread})
    return found


def with_differences(rows: list[dict]) -> list[dict]:
    """`averaged` rows with p(w*), `ratio` (weights of the teacher / non-zero weights of the row), and differences.

    A difference is to the baseline student, greedy to greedy and beam to beam: to the baselines of the row's seeds, or
    to the mean of all baselines where it shares no seed with them (the teacher).
    """
    baselines = {row["seed"]: row for row in rows if row["label"] == BASELINE}
    teacher = next(row["weights"] for row in rows if row["label"] == TEACHER)
    found = []
    for row in averaged(rows):
        seeds = {other["seed"] for other in rows if other["label"] == row["label"]}
        same = [baselines[seed] for seed in seeds & baselines.keys()] or list(baselines.values())
        differences = {
            f"{name}_difference": row[f"{name}_bleu"] - statistics.fmean(own[f"{name}_bleu"] for own in same)
            for name in ("greedy", "beam")
        }
        found.append(row | differences | {"p(w*)": row["mode"], "ratio": teacher / row["non_zero"]})
    return found


def memory_line(row: dict) -> str:
    """How far the teacher has memorised its training targets, in one sentence."""
    ratio = row["memory_ratio"]
    verdict = "it remembers them: compare with --jackknife" if ratio > MEMORISES else "it does not merely remember them"
    return (
        f"The teacher's BLEU on a sample of its training pairs is {row['memory_train_bleu']:.2f}, on valid "
        f"{row['memory_valid_bleu']:.2f}: {ratio:.2f} times as much; {verdict}."
    )


def claims(rows: list[dict]) -> list[str]:
    """The claims of the paper's table, each with its numbers here and whether it holds.

    The best student is the best of those with as many seeds as the baseline, so that one lucky seed cannot win.
    """
    by_label = {row["label"]: row for row in with_differences(rows)}
    teacher, baseline = by_label[TEACHER], by_label[BASELINE]
    others = (TEACHER, "pruned", "dense")
    distilled = {
        label: row
        for label, row in by_label.items()
        if label != BASELINE and not label.startswith(others) and row["seeds"] == baseline["seeds"]
    }
    label, best = max(distilled.items(), key=lambda item: item[1]["greedy_bleu"])
    found = [
        _claim(f"{label} beats the baseline student by at least 1.0 at K=1", best["greedy_difference"], 1.0),
        _claim(f"greedy with {label} is at least the baseline's beam", best["greedy_bleu"] - baseline["beam_bleu"], 0),
        _claim(f"{label} at K=1 is within 1.0 of the teacher's beam", best["greedy_bleu"] - teacher["beam_bleu"], -1.0),
    ]
    timed = best if best.get("greedy_rate") else by_label.get(BEST, best)  # models of equal size have equal speed
    if timed.get("greedy_rate") and teacher.get("beam_rate"):
        ratio = timed["greedy_rate"] / teacher["beam_rate"]
        found.append(_claim(f"and {timed['label']}, greedy, is at least 5 times as fast as that", ratio, 5))
    if "pruned 80%" in by_label:
        pruned = by_label["pruned 80%"]
        found.append(_claim("pruned 80%, the teacher has at least 13 times the weights", pruned["ratio"], 13))
        parent = next(row for row in rows if row["label"] == BEST and row["seed"] == pruned["seed"])
        for dense, meant in ((parent, "it was pruned from"), (by_label.get("pruned 0%"), "trained on for as long")):
            for name, search in (("greedy_bleu", "greedy"), ("beam_bleu", "with a beam")) if dense else ():
                text = f"and at most 0.5 is lost against the dense student {meant}, {search}"
                found.append(_claim(text, pruned[name] - dense[name], -0.5))
    return found


def jackknife_lines(rows: list[dict]) -> str:
    """Students of the one teacher against those of jackknifed teachers, seed by seed; "" where there are none."""
    text = ""
    for row in rows:
        if row["label"].endswith(JACKKNIFED):
            label = row["label"].removesuffix(JACKKNIFED)
            own = next(other for other in rows if other["label"] == label and other["seed"] == row["seed"])
            text += f"- {label}, seed {row['seed']}: with jackknifed teachers {row['greedy_bleu']:.2f} greedy and "
            text += f"{row['beam_bleu']:.2f} with a beam, with the one teacher {own['greedy_bleu']:.2f} and "
            text += f"{own['beam_bleu']:.2f}.\n"
    return text


def _claim(text: str, value: float, least: float) -> str:
    return f"- {text}: {value:.2f} (at least {least:g}) - {'holds' if value >= least else 'does not hold'}.\n"


def write(rows: list[dict], folder: Path, claim: str) -> list[Path]:
    """Writes report.md and the figures. claim: the first line of the experiment. Returns: the paths written."""
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    text, figures = f"# {NAME}\n\n{claim}\n", []
    for name, own in sorted(groups.items()):
        path = folder / ("weights-" + report.slug(name))
        drawn = bleu_against_weights(points(own), path, joined=_PRUNED)
        figures += drawn
        text += _section(name, own, drawn[0])
    report.write(folder / "report.md", text)
    return [folder / "report.md", *figures]


_PRUNED = "Seq-KD + Seq-Inter, pruned"


def points(rows: list[dict]) -> dict[str, list[tuple[str, int, float]]]:
    """Group of the figure -> (name, non-zero weights, greedy BLEU) of each model."""
    groups: dict[str, list[tuple[str, int, float]]] = {}
    for row in averaged(rows):
        label = row["label"]
        if label.startswith(TEACHER):
            legend, name = "teacher", label.removeprefix(TEACHER).removeprefix(" + ")
        elif label.startswith("pruned"):
            legend, name = _PRUNED, label.removeprefix("pruned ")
        elif label.startswith("dense"):
            legend, name = "dense student of equal size", ""
        else:
            legend, name = "student", label.removeprefix("student + ")
        groups.setdefault(legend, []).append((name, row["non_zero"], row["greedy_bleu"]))
    return groups


def _section(name: str, rows: list[dict], figure: Path) -> str:
    shown = with_differences(rows)
    first = shown[0]
    spread = ", ".join(
        f"{row['label']} {row['greedy_deviation']:.2f}" for row in shown if row["greedy_deviation"] is not None
    )
    text = f"\n## {name}\n\n{results.table(shown, COLUMNS)}\n"
    text += (
        f"BLEU: greedy (K=1), and beam {first['beam']}; {first['signature']}. Differences are to the baseline student. "
        f"p(w*): mean probability of the best hypothesis of beam {first['mode_beam']} without length penalty; "
        "n_best_mass: of all of them. Rates: sentences/s, all in turn in one run; pruned models are stored dense and "
        "run as fast as dense ones. ratio: weights of the teacher to those that are not zero.\n"
        f"Seq-Inter's targets are the nearest to the reference of {first['inter_beam']}. Of {first['told_lines']:,} "
        f"lines that the teacher translated for Seq-KD, {first['told_cut']:,} were cut by the length limit.\n"
    )
    text += f"Standard deviation of greedy BLEU over seeds: {spread}.\n" if spread else ""
    text += f"\n{memory_line(first)}\n\n{''.join(claims(rows))}{jackknife_lines(rows)}\n"
    text += f"![BLEU against weights]({figure.name})\n\n"
    return text + f"Command: `{first['command']}`\n"
