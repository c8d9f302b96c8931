"""The paper's own model, 216M weights, trains, is pruned by each scheme, retrains and is stored on an ordinary machine.

    make experiment EXP=full_size ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: one, with seconds and peak memory of each part: three steps of training at the paper's batch of 128, all padded to
the widest shape; 80% pruned by each scheme; three steps of retraining; export and reload. First seed.
Cost: about 5 minutes of 2 cores, and 9 GB of memory.
Expected: it ends; nothing takes more than 24 GiB.
"""

from dataclasses import dataclass

from experiments.see2016 import report as study_report
from experiments.see2016 import study
from experiments.see2016.rows import Rows
from experiments.see2016.study import Entry, Section
from seq2slim.recipes import RECIPES
from seq2slim.runs import results
from seq2slim.runs.memory import GIB
from seq2slim.stages.dry_run import DryRun, load_series
from seq2slim.stages.text import Text

TAKES_PUBLISHED_ROWS = True
start = study.start
smoke = study.smoke
PHASE_COLUMNS = {"phase": "", "seconds": ".1f", "peak_gib": ".2f"}


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options."""


def main(config, runner):
    """Runs this part of the study, and writes the study's report from all that is there."""
    study_report.run(["full_size"], config, runner)


def entries(config: study.Config, seed: int) -> list[Entry]:
    """The rehearsal, on the study's corpus, first seed."""
    if not config.is_first(seed):
        return []
    recipe = RECIPES[config.paper]
    text = Text(config.corpus, recipe.vocabulary, recipe.max_length)
    stage = DryRun(
        text, recipe.model, recipe.vocabulary.size, recipe.training, recipe.retraining, recipe.reverse_source, seed=seed
    )
    columns = {"part": "main", "model": recipe.model.preset, "percent": study.percent(stage.sparsity)}
    return [Entry(stage, columns, series=lambda runner: load_series(runner.run_dir(stage)))]


def section(rows: Rows, series: dict, path) -> Section:
    """What each part took."""
    row = rows.rows[0]
    phases = series[row["identity"]]["phases"]
    kept = ", ".join(f"{scheme} {row[f'kept_{scheme}']:,}" for scheme in study.SCHEMES)
    text = (
        f"{row['model']}: {row['weights']:,} weights, batches of {row['batch']} padded to {row['source']} x "
        f"{row['target']}, {row['cores']} cores ({row['devices']}); weights kept: {kept}.\nThe file of "
        f"{row['bytes']:,} bytes holds what was exported. `peak_gib`: the most memory resident in {row['peak_is_of']}; "
        "compiling is\nquick where the program was compiled in an earlier run. At "
        f"most {max(line['peak_bytes'] for line in phases) / GIB:.2f} GiB of 24, in "
        f"{sum(line['seconds'] for line in phases):.0f} s.\n\n"
    )
    return Section(text + results.table(phase_lines(phases), PHASE_COLUMNS), [])


def phase_lines(phases: list[dict]) -> list[dict]:
    """One line a part, for a table of PHASE_COLUMNS."""
    return [line | {"peak_gib": line["peak_bytes"] / GIB} for line in phases]
