"""The report of the pruning study: a claims table and a section for each experiment, from rows and series alone."""

import importlib
import re
from pathlib import Path

from experiments import report
from experiments.see2016 import run as study_run
from experiments.see2016 import study
from experiments.see2016.evidence import Evidence, judge
from experiments.see2016.rows import ONE_SEED, Rows
from seq2slim.runs import results

EXPERIMENTS = (
    "fig6_retraining",
    "fig3_schemes",
    "fig4_breakdown",
    "fig5_magnitude",
    "fig7_loss",
    "fig8_redundancy",
    "regularisation",
    "small_model",
    "storage",
    "full_size",
)  # fmt: skip


def modules(names=EXPERIMENTS) -> list:
    """The experiments of the study. Imported here and not above: each of them imports this module."""
    return [importlib.import_module(f"experiments.see2016.{name}") for name in names]


def run(names, config: study.Config, runner):
    """Runs experiments of the study, and writes its report from all rows that are there then."""
    rows, series = study_run.run(modules(names), config, runner)
    for path in write(rows, series, report.folder(runner, study.NAME)):
        runner.console.say(str(path))


def write(rows: list[dict], series: dict, folder: Path) -> list[Path]:
    """report.md and the figures, of every study whose rows there are. Returns: the paths written."""
    text = f"# {study.NAME}\n\n{_INTRODUCTION}"
    figures = []
    for name in sorted({row["study"] for row in rows}):
        own, drawn = study_text(name, Rows([row for row in rows if row["study"] == name]), series, folder)
        text += own
        figures += drawn
    report.write(folder / "report.md", text)
    return [folder / "report.md", *figures]


def study_text(name: str, rows: Rows, series: dict, folder: Path) -> tuple[str, list[Path]]:
    """The part of the report on one study, and its figures."""
    claims = importlib.import_module("experiments.see2016.claims")
    evidence = Evidence(rows, series)
    slug = re.sub(r"[^\w-]+", "-", name).strip("-")
    sections, figures = {}, []
    for module in modules():
        own = rows.of_experiment(study_run.name_of(module))
        if len(own):
            sections[module] = found = module.section(own, series, folder / f"{slug}-{study_run.name_of(module)}")
            figures += found.figures
    drawn = {study_run.name_of(module): [p.name for p in found.figures] for module, found in sections.items()}
    table = [judge(claim, evidence) | {"figure": _link(claim, drawn)} for claim in claims.CLAIMS]
    marked = sum(bool(row.get("published")) for row in rows.rows)
    text = f"\n## {name}\n\n{_warning(rows)}Seeds: {', '.join(map(str, rows.seeds))}. "
    text += f"{claims.noise_line(evidence)}" + (f" {marked} rows were taken as published.\n\n" if marked else "\n\n")
    text += results.table(table, ["where", "claim", "paper", "here", "verdict", "figure"])
    for module, found in sections.items():
        own = study_run.name_of(module)
        alone = f" Seed {rows.of_experiment(own).seeds[0]} alone." if own in ONE_SEED and len(rows.seeds) > 1 else ""
        text += f"\n### {own}\n\nClaim: {module.__doc__.splitlines()[0]}{alone}\n\n{found.text}\n"
        text += "".join(f"![{p.stem}]({p.name})\n" for p in found.figures if p.suffix == ".svg")
    commands = sorted({row["command"] for row in rows.rows})
    return text + "\nCommand:\n\n" + "".join(f"    {command}\n" for command in commands), figures


def _link(claim, drawn: dict[str, list[str]]) -> str:
    """Markdown link to the figure of a claim, or "-"."""
    names = [name for name in drawn.get(claim.experiment, ()) if name.endswith(f"{claim.figure}.svg")]
    return f"[{claim.experiment}]({names[0]})" if names else "-"


def _warning(rows: Rows) -> str:
    """A sentence where rows of one seed were made with different settings, which do not compare."""
    made: dict[int, set[str]] = {}
    for row in rows.rows:
        made.setdefault(row["seed"], set()).add(row["baseline"])
    mixed = [str(seed) for seed, baselines in made.items() if len(baselines) > 1]
    text = f"WARNING: rows of seed {', '.join(mixed)} stand on different baselines; run see2016 again, whole.\n\n"
    return text if mixed else ""


_INTRODUCTION = """See, Luong & Manning (2016), "Compression of Neural Machine Translation Models via Pruning", re-run
on a smaller model and less text. Every verdict is computed from rows.jsonl and series/ by the rules of
experiments/claims.py; a row whose data is not there says "not run". Mean ± standard deviation over seeds.

    make experiment EXP=see2016 ARGS="--only-report --publish"    # writes this file again, from rows and series alone
"""
