"""The model that --run or --model names, and its dictionary, told about on standard error."""

import sys
from pathlib import Path

from rich.console import Console as RichConsole

from seq2slim.cli.mistakes import UsageError
from seq2slim.cli.runs import model_home
from seq2slim.pipeline.console import Console
from seq2slim.pipeline.translator import Translator, load


def chosen(command: str, run: Path | None, model: Path | None) -> Translator:
    """The model of the folder `run`, or of the file `model`.

    Raises: UsageError if both or neither are given, or there is none.
    """
    if (run is None) == (model is None):
        raise UsageError(f"{command} with which model? Give --run DIR, or --model FILE, and not both")
    if model is not None and not model.is_file():
        raise UsageError(f"--model {model}: there is no such file; `export` makes one of a run")
    return load(model or model_home(run), say)


def learn_dictionary(model: Translator):
    """Has the model read or learn its dictionary, with progress, before anything needs it."""
    console = Console(RichConsole(file=sys.stderr))
    try:
        model.dictionary(say, lambda done, total: console.progress("dictionary", done, total))
    finally:
        console.finish()


def say(line: str):
    """One line to standard error."""
    print(f"seq2slim: {line}", file=sys.stderr, flush=True)
