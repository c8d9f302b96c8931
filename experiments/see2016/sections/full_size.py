"""Seconds and peak memory of the paper's own model."""

from experiments.see2016.rows import Rows
from experiments.see2016.sections import Section
from experiments.see2016.study import PAPER_SCHEMES
from seq2slim.runs import results
from seq2slim.runs.memory import GIB

PHASE_COLUMNS = {"phase": "", "seconds": ".1f", "peak_gib": ".2f"}


def section(rows: Rows, series: dict, path) -> Section:
    """Seconds and memory of each phase."""
    row = rows.rows[0]
    phases = series[row["identity"]]["phases"]
    kept = ", ".join(f"{scheme} {row[f'kept_{scheme}']:,}" for scheme in PAPER_SCHEMES)
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
    """One line per phase, for a table of PHASE_COLUMNS."""
    return [line | {"peak_gib": line["peak_bytes"] / GIB} for line in phases]
