"""Loads the model that --run or --model names, and its dictionary; reports on stderr."""

import sys
from pathlib import Path

from rich.console import Console as RichConsole

from seq2slim.cli.runs import find_model_run
from seq2slim.errors import UserError
from seq2slim.inference.translator import Translator, load
from seq2slim.runs.console import Console


def chosen(command: str, run: Path | None, model: Path | None) -> Translator:
    """The model of the folder `run`, or of the file `model`.

    Raises: UserError if both or neither are given, or the file is missing.
    """
    if (run is None) == (model is None):
        raise UserError(f"{command} with which model? Give --run DIR, or --model FILE, and not both")
    if model is not None and not model.is_file():
        raise UserError(f"--model {model}: there is no such file; `export` makes one of a run")
    return load(model or find_model_run(run), say)


def learn_dictionary(model: Translator):
    """Makes the model read or learn its dictionary, with progress."""
    console = Console(RichConsole(file=sys.stderr))
    try:
        model.dictionary(say, lambda done, total: console.progress("dictionary", done, total))
    finally:
        console.finish()


def say(line: str):
    """Prints one line on stderr."""
    print(f"seq2slim: {line}", file=sys.stderr, flush=True)
