"""`inspect`: what a run is."""

import json
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
from seq2slim.cli.runs import run_home
from seq2slim.models import weight_classes
from seq2slim.pipeline.model_files import CONFIG as MODEL_FACTS
from seq2slim.pipeline.model_files import Model, load_model
from seq2slim.pipeline.records import lineage
from seq2slim.pipeline.runner import DONE
from seq2slim.training.metrics import METRICS, decoded, read_metrics

DESCRIPTION = """What a run is: its lineage, options, last validation, result, and the weights of each class.

    python -m seq2slim inspect runs/prune-..."""


@dataclass(frozen=True)
class Options:
    """What is looked at.

    Attributes:
      run: folder of a run of any kind, finished or not.
    """

    run: Annotated[Path, tyro.conf.Positional]


def run(arguments: Sequence[str]):
    """Prints what the folder of a run says."""
    (options,) = parse("inspect", DESCRIPTION, arguments, Options)
    home = run_home(options.run)
    ancestors = lineage(home)
    done = json.loads((home / DONE).read_text()) if (home / DONE).is_file() else None
    state = f"finished in {done['seconds']:,.1f} s" if done else "not finished"
    width = min(shutil.get_terminal_size().columns, 120)
    print(f"{home}: {state}\n\nlineage")
    for path, record in reversed(ancestors):
        print(f"  {path.name}")
        for name, value in _told(record["options"]):
            print(textwrap.fill(f"{name} = {value}", width, initial_indent=" " * 6, subsequent_indent=" " * 10))
    if rows := _validations(home):
        print("\nvalidations" + ("" if len(rows) <= 3 else f", the last 3 of {len(rows)}"))
        for row in rows[-3:]:
            print("  " + ", ".join(f"{name} {value:.5g}" for name, value in row.items()))
    if done and done["result"]:
        plain = {name: value for name, value in decoded(done["result"]).items() if not isinstance(value, dict | list)}
        if plain:
            print("\nresult\n  " + ", ".join(f"{name} {value}" for name, value in plain.items()))
    if (home / MODEL_FACTS).is_file():
        print(f"\nweights\n{_weights(load_model(home))}")


def _told(options: dict, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Options by dotted names on few lines: one a group; those that are None, and parents, say nothing."""
    own = {name: value for name, value in options.items() if name != "__type__" and value is not None}
    for name, value in own.items():
        if isinstance(value, dict):
            yield from _told(value, f"{prefix}{name}.")
        elif not prefix:
            yield name, value
    if prefix:
        plain = {name: value for name, value in own.items() if not isinstance(value, dict)}
        yield prefix.rstrip("."), ", ".join(f"{name} {value}" for name, value in plain.items())


def _validations(home: Path) -> list[dict]:
    if not (home / METRICS).is_file():
        return []
    names = ("step", "valid_loss", "valid_perplexity", "valid_bleu")
    rows = [row for row in read_metrics(home / METRICS) if "valid_loss" in row]
    return [{name: row[name] for name in names if name in row} for row in rows]


def _weights(model: Model) -> str:
    """A line a class: weights, how many are kept, sparsity, and the smallest magnitude among the kept ones."""
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
