"""Runs experiments of the study: says the cost, takes published rows, stores each experiment's rows at its end."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from rich.table import Table

from experiments import report
from experiments.see2016.study import NAME, Config, Entry, Models
from seq2slim.runs import results
from seq2slim.runs.console import duration
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import identity, run_name
from seq2slim.stages import costs
from seq2slim.stages.text import Text

_GIVEN = ("part", "model", "scheme", "percent", "class", "corpus", "published")  # what no stage yields


def run(experiments: Sequence[ModuleType], config: Config, runner: Runner) -> tuple[list[dict], dict]:
    """Runs experiments, one seed after the other. Returns: all rows and series of the study that are stored now.

    With --use-published a row that is published (and its series) is taken as it stands, and marked unless it goes back
    to where it came from. Rows are stored after each experiment, so that what was finished before an interruption is
    there.
    """
    known = results.published(Path("experiments") / "results" / NAME) if runner.options.use_published else ([], {})
    work = [
        (seed, module, entries)
        for seed in config.seeds
        for module in experiments
        if (entries := _fresh(module.entries(config, seed)))
    ]
    _say_cost(runner, work, known)
    stored = results.published(report.folder(runner, NAME))
    for seed, module, entries in work:
        stored = _collect(runner, config, seed, name_of(module), entries, known)
    return stored


def name_of(module: ModuleType) -> str:
    """fig3_schemes of experiments.see2016.fig3_schemes."""
    return module.__name__.rpartition(".")[2]


def _fresh(entries: list[Entry]) -> list[Entry]:
    """Entries without repetitions: a stage yields one row."""
    return list({identity(entry.stage): entry for entry in reversed(entries)}.values())[::-1]


def _taken(entry: Entry, known: tuple[list[dict], dict]) -> tuple[dict, dict] | None:
    """(row, series) published of an entry, if all of it is."""
    rows, series = known
    own = identity(entry.stage)
    row = next((row for row in rows if row["identity"] == own), None)
    return None if row is None or (entry.series and own not in series) else (row, series.get(own, {}))


def _say_cost(runner: Runner, work, known):
    """Prints what is still to be run, and how long it will take, before any of it runs."""
    missing = [(seed, module, [e.stage for e in entries if not _taken(e, known)]) for seed, module, entries in work]
    planned = [[line.stage for line in runner.plan(stages, show=False)] for _, _, stages in missing]
    texts = list({identity(stage): stage for stages in planned for stage in stages if isinstance(stage, Text)}.values())
    runner.run(texts)
    rate = costs.measured_rate(runner, [stage for stages in planned for stage in stages]) or costs.RATE
    table = Table("seed", "experiment", "stages to run", "time", title=f"{NAME}: cost", title_justify="left")
    counted: set[str] = set()
    total = 0.0
    for (seed, module, _), stages in zip(missing, planned):
        own = {identity(stage): stage for stage in stages if not runner.is_finished(stage)}
        new = [stage for name, stage in own.items() if name not in counted]
        counted |= own.keys()
        seconds = costs.estimate(runner, new, rate)
        total += seconds
        table.add_row(str(seed), name_of(module), str(len(new)), duration(seconds) if new else "-")
    runner.console.show(table)
    runner.console.say(
        f"{len(counted)} stages to run, about {duration(total)} at {rate / 1e9:.0f} GFLOP/s; a stage that several "
        "experiments need is counted where it is needed first"
    )


def _collect(runner: Runner, config: Config, seed: int, name: str, entries: list[Entry], known):
    """Runs what is missing of one experiment and one seed, and stores its rows. Returns: all that is stored."""
    taken = {identity(entry.stage): found for entry in entries if (found := _taken(entry, known))}
    runner.run([entry.stage for entry in entries if identity(entry.stage) not in taken])
    common = {
        "experiment": name, "group": f"{config.study}, {name}, seed {seed}", "study": config.study, "seed": seed,
        "baseline": run_name(Models(config, seed).baseline), "command": config.command,
    }  # fmt: skip
    rows, series = [], {}
    _, there = results.published(report.folder(runner, NAME))  # of a row that another experiment keeps a series of
    for order, entry in enumerate(entries):
        own = identity(entry.stage)
        columns = {**common, "order": order, **entry.columns}
        if own in taken:
            row, own_series = taken[own]
            mark = {} if runner.options.publish else {"published": True}
            rows.append({name: value for name, value in row.items() if name not in _GIVEN} | columns | mark)
        else:
            rows.append(report.result_row(runner, entry.stage, **columns) | entry.more(runner))
            own_series = entry.series(runner) if entry.series else there.get(own, {})
        if own_series:
            series[own] = own_series
    return report.store(runner, NAME, rows, series)
