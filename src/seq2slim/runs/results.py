"""Published results: small JSON files under experiments/results/<name>/, from which every report and figure is rebuilt.

    rows.jsonl                       one result row per line: a flat dict with identity, experiment, label, seed, ...
    series/<identity>-<name>.json    one small series (a loss curve, the densities of the classes)

Both are keyed by the identity of the stage that produced them. NaN and infinities are written as in `json_values`.
"""

import json
import re
from pathlib import Path
from typing import Any

from rich.table import Table

from seq2slim.errors import UserError
from seq2slim.files import locked, write_atomically
from seq2slim.json_values import decoded, encoded

ROWS = "rows.jsonl"
SERIES = "series"
_ORDER = ("experiment", "label", "seed", "identity")


Published = tuple[list[dict], dict[str, dict[str, Any]]]  # rows; series, as identity -> name -> values


def publish(rows: list[dict], series: dict[str, dict[str, Any]], folder: Path) -> Published:
    """`store` into experiments/results/<name>, to be committed.

    Raises: UserError, before anything is written, for a SMOKE row ("smoke" is true), or as `store`.
    """
    for row in rows:
        if row.get("smoke"):
            raise UserError(f"SMOKE rows are never published: {row.get('label', row.get('identity'))}")
    return store(rows, series, folder)


def store(rows: list[dict], series: dict[str, dict[str, Any]], folder: Path) -> Published:
    """Writes rows and series into `folder`, one process at a time.

    A group (rows with the same "group": one run of an experiment) is replaced as a whole, so that no row of an earlier
    recipe stays among the new ones. Rows without a group replace those of the same identity. All others stay.

    Args:
      rows: result rows; each with a non-empty string "identity", values scalars.
      series: identity -> name -> anything JSON can hold.
      folder: made if missing.
    Returns: everything that is stored there now.
    Raises: UserError, before anything is written, for a row without identity or not flat, or a name that is no file
      name.
    """
    for row in rows:
        if not isinstance(row.get("identity"), str) or not row["identity"]:
            raise ValueError(f"a result row needs the identity of its stage to be published: {row}")
        if nested := [name for name, value in encoded(row).items() if isinstance(value, dict | list)]:
            label = row.get("label", row["identity"])
            raise ValueError(f"column {nested[0]!r} of the row {label} is not a scalar; publish it as a series")
    for owner, own in series.items():
        for name in own:
            if not re.fullmatch(r"[\w.]+", owner) or not re.fullmatch(r"[\w.-]+", name):
                raise ValueError(
                    f"cannot name a file after the series {name!r} of {owner!r}; letters, digits, '_', '.' and '-' only"
                )
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        _replace(rows, series, folder)
        return published(folder)


def _replace(rows: list[dict], series: dict[str, dict[str, Any]], folder: Path):
    new = {row["identity"] for row in rows}
    old_rows, old_series = published(folder)
    replaced = {row.get("group") or row["identity"] for row in rows}
    stays = [row for row in old_rows if (row.get("group") or row["identity"]) not in replaced]
    lines = sorted([*stays, *rows], key=_order)
    gone = {row["identity"] for row in old_rows} - {row["identity"] for row in lines}
    (folder / SERIES).mkdir(exist_ok=True)
    for owner in new | gone | set(series):
        for name in old_series.get(owner, {}).keys() - series.get(owner, {}).keys():
            (folder / SERIES / f"{owner}-{name}.json").unlink()
        for name, values in series.get(owner, {}).items():
            write_atomically(
                folder / SERIES / f"{owner}-{name}.json", json.dumps(encoded(values), allow_nan=False) + "\n"
            )
    write_atomically(folder / ROWS, "".join(json.dumps(encoded(row), allow_nan=False) + "\n" for row in lines))


def published(folder: Path) -> Published:
    """Rows and series (identity -> name -> values) of `folder`, as `publish` takes them; ([], {}) if there are none.

    Raises: UserError naming file and line if one is damaged.
    """
    rows = []
    if (folder / ROWS).exists():
        for number, line in enumerate((folder / ROWS).read_text(encoding="utf-8").splitlines(), start=1):
            try:
                rows.append(decoded(json.loads(line)))
            except ValueError as error:
                raise UserError(f"{folder / ROWS}, line {number}: not JSON ({error})") from None
            if not isinstance(rows[-1], dict) or "identity" not in rows[-1]:
                raise UserError(f"{folder / ROWS}, line {number}: not a row with an identity")
    series: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / SERIES).glob("*.json")):
        owner, _, name = path.stem.partition("-")
        try:
            series.setdefault(owner, {})[name] = decoded(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise UserError(f"{path}: not JSON ({error})") from None
    return rows, series


def table(rows: list[dict], columns: dict[str, str] | list[str]) -> str:
    """A Markdown table. `columns`: keys to show, or key -> format spec (".2f", ",d", "" for str()). Missing: "-"."""
    names = list(columns)
    lines = [names, *([_cell(row, name, columns) for name in names] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(names))]
    numeric = [_numeric(rows, name) for name in names]
    text = [
        "| "
        + " | ".join(
            cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(line, widths, numeric)
        )
        + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 1) + (":" if right else "-") for width, right in zip(widths, numeric)) + "|"
    return "\n".join([text[0], rule, *text[1:]]) + "\n"


def rich_table(rows: list[dict], columns: dict[str, str] | list[str], title: str | None = None) -> Table:
    """The same table for the terminal; rows marked "published" or "smoke" are labelled so."""
    shown = Table(title=title, title_justify="left")
    for name in columns:
        shown.add_column(name, justify="right" if _numeric(rows, name) else "left")
    marks = [", ".join(mark for mark in ("published", "smoke") if row.get(mark)) for row in rows]
    if any(marks):
        shown.add_column("")
    for row, mark in zip(rows, marks):
        shown.add_row(*(_cell(row, name, columns) for name in columns), *([mark] if any(marks) else []))
    return shown


def _order(row: dict) -> list[str]:
    return [json.dumps(encoded(row.get(name)), sort_keys=True) for name in _ORDER] + [
        json.dumps(encoded(row), sort_keys=True)
    ]


def _cell(row: dict, name: str, columns) -> str:
    value = row.get(name)
    if value is None:
        return "-"
    spec = columns[name] if isinstance(columns, dict) else ""
    return format(value, spec) if spec and not isinstance(value, str) else str(value)


def _numeric(rows: list[dict], name: str) -> bool:
    return all(isinstance(row.get(name), int | float | None) for row in rows)
