"""The report of the pruning study: a claims table and a section for each experiment, from rows and series alone."""

import ast
from pathlib import Path

from experiments import report
from experiments.see2016.claims import CLAIMS, noise_line
from experiments.see2016.evidence import Evidence, judge
from experiments.see2016.rows import ONE_SEED, Rows
from experiments.see2016.sections import (
    fig3_schemes,
    fig4_breakdown,
    fig5_magnitude,
    fig6_retraining,
    fig7_loss,
    fig8_redundancy,
    full_size,
    regularisation,
    small_model,
    storage,
)
from experiments.see2016.study import NAME
from seq2slim.runs import results

SECTIONS = {
    "fig6_retraining": fig6_retraining.section,
    "fig3_schemes": fig3_schemes.section,
    "fig4_breakdown": fig4_breakdown.section,
    "fig5_magnitude": fig5_magnitude.section,
    "fig7_loss": fig7_loss.section,
    "fig8_redundancy": fig8_redundancy.section,
    "regularisation": regularisation.section,
    "small_model": small_model.section,
    "storage": storage.section,
    "full_size": full_size.section,
}


def write(rows: list[dict], series: dict, folder: Path) -> list[Path]:
    """Writes report.md and the figures of every study that has rows. Returns: the paths written."""
    text = f"# {NAME}\n\n{_INTRODUCTION}"
    figures = []
    for name in sorted({row["study"] for row in rows}):
        own, drawn = study_text(name, Rows([row for row in rows if row["study"] == name]), series, folder)
        text += own
        figures += drawn
    report.write(folder / "report.md", text)
    return [folder / "report.md", *figures]


def study_text(name: str, rows: Rows, series: dict, folder: Path) -> tuple[str, list[Path]]:
    """The part of the report on one study, and its figures."""
    evidence = Evidence(rows, series)
    slug = report.slug(name)
    sections, figures = {}, []
    for experiment, section in SECTIONS.items():
        own = rows.of_experiment(experiment)
        if len(own):
            sections[experiment] = found = section(own, series, folder / f"{slug}-{experiment}")
            figures += found.figures
    drawn = {experiment: [p.name for p in found.figures] for experiment, found in sections.items()}
    table = [judge(claim, evidence) | {"figure": _link(claim, drawn)} for claim in CLAIMS]
    marked = sum(bool(row.get("published")) for row in rows.rows)
    text = f"\n## {name}\n\n{_warning(rows)}Seeds: {', '.join(map(str, rows.seeds))}. "
    text += f"{noise_line(evidence)}" + (f" {marked} rows were taken as published.\n\n" if marked else "\n\n")
    text += results.table(table, ["where", "claim", "paper", "here", "verdict", "figure"])
    for experiment, found in sections.items():
        one_seed = experiment in ONE_SEED and len(rows.seeds) > 1
        alone = f" Seed {rows.of_experiment(experiment).seeds[0]} alone." if one_seed else ""
        text += f"\n### {experiment}\n\nClaim: {claim_of(experiment)}{alone}\n\n{found.text}\n"
        text += "".join(f"![{p.stem}]({p.name})\n" for p in found.figures if p.suffix == ".svg")
    commands = sorted({row["command"] for row in rows.rows})
    return text + "\nCommand:\n\n" + "".join(f"    {command}\n" for command in commands), figures


def claim_of(experiment: str) -> str:
    """The first line of an experiment's docstring, read without importing it: experiments import this module."""
    source = Path(__file__).with_name(f"{experiment}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)).splitlines()[0]


def _link(claim, drawn: dict[str, list[str]]) -> str:
    """Markdown link to the figure of a claim, or "-"."""
    names = [name for name in drawn.get(claim.experiment, ()) if name.endswith(f"{claim.figure}.svg")]
    return f"[{claim.experiment}]({names[0]})" if names else "-"


def _warning(rows: Rows) -> str:
    """A warning where rows of one seed come from different settings and cannot be compared; "" else."""
    made: dict[int, set[str]] = {}
    for row in rows.rows:
        made.setdefault(row["seed"], set()).add(row["baseline"])
    mixed = [str(seed) for seed, baselines in made.items() if len(baselines) > 1]
    text = f"WARNING: rows of seed {', '.join(mixed)} stand on different baselines; run see2016 again, whole.\n\n"
    return text if mixed else ""


_INTRODUCTION = """See, Luong & Manning (2016), "Compression of Neural Machine Translation Models via Pruning", re-run
on a smaller model and less text. Every verdict is computed from rows.jsonl and series/ by the rules of
experiments/see2016/claims.py; a row whose data is not there says "not run". Mean ± standard deviation over seeds.

    make experiment EXP=see2016 ARGS="--only-report --publish"    # writes this file again, from rows and series alone
"""
