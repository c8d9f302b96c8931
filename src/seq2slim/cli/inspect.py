"""`inspect`: the content of a run directory, or of a sparse model file."""

import math
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import tyro

from seq2slim import pruning
from seq2slim.cli.options import parse
from seq2slim.cli.runs import find_run, shown
from seq2slim.inference.model_files import MODEL_CONFIG, Model, load_model
from seq2slim.models import weight_classes
from seq2slim.runs.done import DONE, read_done
from seq2slim.runs.records import lineage
from seq2slim.storage import contents
from seq2slim.tasks.task import VALID, VALID_LOSS
from seq2slim.training.metrics import METRICS, read_metrics

DESCRIPTION = """Shows a run: its lineage, options, last validations, result, and the weights of each class; or a sparse
model file, leaf by leaf, with the order-0 entropy of its content.

    python -m seq2slim inspect runs/prune-...
    python -m seq2slim inspect model.slim"""


@dataclass(frozen=True)
class Options:
    """Options of inspect.

    Attributes:
      run: run directory of any kind, finished or not; or a file made by export.
    """

    run: Annotated[Path, tyro.conf.Positional]


def run(arguments: Sequence[str]):
    """Prints the content of a run directory or model file."""
    (options,) = parse("inspect", DESCRIPTION, arguments, Options)
    if options.run.is_file():
        print(_file(options.run))
        return
    run_dir = find_run(options.run)
    ancestors = lineage(run_dir)
    done, state = _done(run_dir, ancestors[0][1])
    width = min(shutil.get_terminal_size().columns, 120)
    print(f"{shown(run_dir)}: {state}\n\nlineage")
    for path, record in reversed(ancestors):
        print(f"  {path.name}")
        for name, value in _shown_options(record["options"]):
            print(textwrap.fill(f"{name} = {value}", width, initial_indent=" " * 6, subsequent_indent=" " * 10))
    if rows := _validations(run_dir):
        print("\nvalidations" + ("" if len(rows) <= 3 else f", the last 3 of {len(rows)}"))
        for row in rows[-3:]:
            print("  " + ", ".join(f"{name} {value:.5g}" for name, value in row.items()))
    if done and done["result"]:
        plain = {name: value for name, value in done["result"].items() if not isinstance(value, dict | list)}
        if plain:
            print("\nresult\n  " + ", ".join(f"{name} {value}" for name, value in plain.items()))
    if (run_dir / MODEL_CONFIG).is_file():
        print(f"\nweights\n{_weights(load_model(run_dir))}")


def _done(run_dir: Path, record: dict) -> tuple[dict | None, str]:
    """(done.json or None, state in words) of a run."""
    if not (run_dir / DONE).is_file():
        return None, "not finished"
    try:
        done = read_done(run_dir, record["identity"])
        return done, f"finished in {done['seconds']:,.1f} s"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return None, f"finished, but {DONE} is damaged: {error}"


def _file(path: Path) -> str:
    """One line per leaf: survivors, encoding of positions and values, and their bytes."""
    rows, size = contents(path), path.stat().st_size
    stored = sum(row.position_bytes + row.value_bytes for row in rows)
    weights = sum(row.weights for row in rows)
    lines = [f"{'leaf':36}{'weights':>12}{'kept':>12}  {'values':12}{'positions':10}{'bytes':>12}{'entropy':>12}"]
    lines += [
        f"{row.path:36}{row.weights:12,}{row.kept:12,}  {row.codec:12}{row.positions:10}"
        f"{row.position_bytes + row.value_bytes:12,}{math.ceil(row.entropy_bytes):12,}"
        for row in rows
    ]
    lines.append(f"{size:,} bytes, {size - stored:,} of them configuration, vocabularies and header;")
    smaller = f"{4 * weights / stored:.1f} times smaller than in float32" if stored else "all 0.0, and none is stored"
    lines.append(f"the weights are {smaller}")
    return "\n".join(lines)


def _shown_options(options: dict, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Options by dotted names, one line per group; options that are None, and parents, are left out."""
    own = {name: value for name, value in options.items() if name != "__type__" and value is not None}
    for name, value in own.items():
        if isinstance(value, dict):
            yield from _shown_options(value, f"{prefix}{name}.")
        elif not prefix:
            yield name, value
    if prefix:
        plain = {name: value for name, value in own.items() if not isinstance(value, dict)}
        yield prefix.rstrip("."), ", ".join(f"{name} {value}" for name, value in plain.items())


def _validations(run_dir: Path) -> list[dict]:
    if not (run_dir / METRICS).is_file():
        return []
    rows = [row for row in read_metrics(run_dir / METRICS) if VALID_LOSS in row]
    return [{name: value for name, value in row.items() if name == "step" or name.startswith(VALID)} for row in rows]


def _weights(model: Model) -> str:
    """One line per class: weights, kept weights, sparsity, and the smallest magnitude kept."""
    classes = pruning.classes_by_rules(model.params, weight_classes(model.config))
    masks = pruning.all_true(model.params, classes) if model.masks is None else model.masks
    found = pruning.summary(jax.device_get(model.params), masks, classes=classes)
    lines = [f"  {'class':24}{'weights':>14}{'kept':>14}{'sparsity':>10}{'smallest kept':>15}"]
    lines += [
        f"  {row.name:24}{row.weights:14,}{row.kept:14,}{row.sparsity:10.2%}{row.threshold:15.2g}"
        for row in (*found.rows, found.total)
    ]
    if found.never_pruned:
        lines.append(f"  {pruning.NEVER_PRUNED:24}{found.never_pruned:14,}{found.never_pruned:14,}")
    return "\n".join(lines)
