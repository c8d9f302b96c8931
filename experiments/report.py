"""Rows of finished stages, where they are stored, and options as they are typed: shared by all experiments."""

import re
from pathlib import Path

from seq2slim.data.corpora import CorpusConfig
from seq2slim.files import write_atomically
from seq2slim.runs import results
from seq2slim.runs.stage import Stage, identity
from seq2slim.training.metrics import METRICS, read_metrics


def result_row(runner, stage: Stage, **columns) -> dict:
    """The row of a finished stage: its identity, `columns`, then its result."""
    return {"identity": identity(stage), **columns, **runner.result(stage)}


def seconds(runner, stage: Stage) -> float | None:
    """Seconds that a finished stage took; None if it was interrupted and resumed: only its last attempt is timed."""
    done = runner.done(stage)
    return None if done["resumed"] else done["seconds"]


def validation_curve(runner, stage: Stage) -> list[tuple[int, float]]:
    """(step, validation loss in nats per target token) of each validation of a finished training stage."""
    lines = read_metrics(runner.run_dir(stage) / METRICS)
    return [(line["step"], line["valid_loss"]) for line in lines if "valid_loss" in line]


def folder(runner, name: str) -> Path:
    """The folder of an experiment's rows, figures and report: in experiments/results/ if published, else in runs/."""
    return (Path("experiments") if runner.options.publish else runner.runs) / "results" / name


def store(runner, name: str, rows: list[dict], series: dict) -> tuple[list[dict], dict]:
    """Merges rows and series into the experiment's folder. Returns: all rows and series stored there now."""
    where = folder(runner, name)
    write = results.publish if runner.options.publish else results.store
    return write([row | ({"smoke": True} if runner.options.smoke else {}) for row in rows], series, where)


def write(path: Path, text: str):
    """Writes a report atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)


def slug(name: str) -> str:
    """The name of a group of rows as part of a file name."""
    return re.sub(r"[^\w-]+", "-", name).strip("-")


def corpus_name(corpus: CorpusConfig, title: str = "") -> str:
    """The name of a corpus in tables and groups: its title, else its own name, or for files the place of the first."""
    if title or corpus.name != "text":
        return title or "-".join([corpus.name, *(corpus.languages or ())])
    source = Path(corpus.train[0]).absolute()
    return f"text {source.parent.name}/{source.name}"


def typed_corpus(corpus: CorpusConfig, option: str = "corpus") -> list[str]:
    """The options of a corpus as they are typed, with placeholders for the paths of `text`."""
    words = [f"--{option}.name {corpus.name}"]
    if corpus.name == "text":
        words += [f"--{option}.{split} {split}.source {split}.target" for split in ("train", "valid", "test")]
    if corpus.languages:
        words.append(f"--{option}.languages {' '.join(corpus.languages)}")
    return words


def typed(options: dict, prefix: str) -> list[str]:
    """Nested options as they are typed: dotted names, and flags for booleans."""
    words = []
    for name, value in options.items():
        name = name.replace("_", "-")
        if isinstance(value, dict):
            words += typed(value, f"{prefix}{name}.")
        elif isinstance(value, bool):
            words.append(f"{prefix}{'' if value else 'no-'}{name}")
        else:
            words.append(f"{prefix}{name} {value}")
    return words
