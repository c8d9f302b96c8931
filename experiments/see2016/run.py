"""Runs experiments of the study: prints the cost, takes published rows, stores rows, writes the report."""

from collections.abc import Callable, Mapping
from pathlib import Path

from rich.table import Table

from experiments import report
from experiments.see2016.report import write
from experiments.see2016.study import NAME, Config, Entry, Models
from seq2slim.runs import results
from seq2slim.runs.console import duration
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import identity, run_name
from seq2slim.stages import costs
from seq2slim.stages.text import Text

Entries = Callable[[Config, int], list[Entry]]
_GIVEN = ("part", "model", "scheme", "percent", "class", "corpus", "published")  # columns that no stage yields


def run(experiments: Mapping[str, Entries], config: Config, runner: Runner):
    """Runs experiments (name -> entries), and writes the report of the study from all rows stored then."""
    rows, series = collect(experiments, config, runner)
    for path in write(rows, series, report.folder(runner, NAME)):
        runner.console.say(str(path))


def collect(experiments: Mapping[str, Entries], config: Config, runner: Runner) -> tuple[list[dict], dict]:
    """Runs experiments, one seed after the other. Returns: all rows and series of the study that are stored then.

    With --use-published, a row that is published is taken with its series in place of a run; it is marked, unless it is
    published again. Rows are stored after each experiment, so that an interruption loses none that are finished.
    """
    known = results.published(Path("experiments") / "results" / NAME) if runner.options.use_published else ([], {})
    work = [
        (seed, name, own)
        for seed in config.seeds
        for name, entries in experiments.items()
        if (own := distinct(entries(config, seed)))
    ]
    _say_cost(runner, work, known)
    stored = results.published(report.folder(runner, NAME))
    for seed, name, own in work:
        stored = _collect(runner, config, seed, name, own, known)
    return stored


def distinct(entries: list[Entry]) -> list[Entry]:
    """Entries without repetitions: one row per stage."""
    return list({identity(entry.stage): entry for entry in reversed(entries)}.values())[::-1]


def _taken(entry: Entry, known: tuple[list[dict], dict]) -> tuple[dict, dict] | None:
    """(row, series) of an entry if both are published."""
    rows, series = known
    own = identity(entry.stage)
    row = next((row for row in rows if row["identity"] == own), None)
    return None if row is None or (entry.series and own not in series) else (row, series.get(own, {}))


def _say_cost(runner: Runner, work, known):
    """Prints what is still to run, and for how long, before it starts."""
    missing = [(seed, name, [e.stage for e in entries if not _taken(e, known)]) for seed, name, entries in work]
    planned = [[line.stage for line in runner.plan(stages, show=False)] for _, _, stages in missing]
    texts = list({identity(stage): stage for stages in planned for stage in stages if isinstance(stage, Text)}.values())
    runner.run(texts)
    rate = costs.measured_rate(runner, [stage for stages in planned for stage in stages]) or costs.RATE
    table = Table("seed", "experiment", "stages to run", "time", title=f"{NAME}: cost", title_justify="left")
    counted: set[str] = set()
    total = 0.0
    for (seed, experiment, _), stages in zip(missing, planned):
        own = {identity(stage): stage for stage in stages if not runner.is_finished(stage)}
        new = [stage for name, stage in own.items() if name not in counted]
        counted |= own.keys()
        seconds = costs.estimate(runner, new, rate)
        total += seconds
        table.add_row(str(seed), experiment, str(len(new)), duration(seconds) if new else "-")
    runner.console.show(table)
    runner.console.say(
        f"{len(counted)} stages to run, about {duration(total)} at {rate / 1e9:.0f} GFLOP/s; a stage that several "
        "experiments need is counted where it is needed first"
    )


def _collect(runner: Runner, config: Config, seed: int, name: str, entries: list[Entry], known):
    """Runs the missing stages of one experiment and one seed, and stores its rows. Returns: all stored rows, series."""
    taken = {identity(entry.stage): found for entry in entries if (found := _taken(entry, known))}
    runner.run([entry.stage for entry in entries if identity(entry.stage) not in taken])
    common = {
        "experiment": name, "group": f"{config.study}, {name}, seed {seed}", "study": config.study, "seed": seed,
        "baseline": run_name(Models(config, seed).baseline), "command": config.command,
    }  # fmt: skip
    rows, series = [], {}
    _, there = results.published(report.folder(runner, NAME))  # a row may have its series from another experiment
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
