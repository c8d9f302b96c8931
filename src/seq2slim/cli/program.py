"""`main`: runs the command that was typed; user errors are one line."""

import importlib
import os
import sys
from collections.abc import Sequence

from seq2slim.cli.experiments import experiments_folder
from seq2slim.errors import UserError, nearest
from seq2slim.installation import VERSION, MissingExtra, missing_extra

PROGRAM = "python -m seq2slim"
# Each is a module of this package (with _ for -) that has a function `run(arguments)`.
COMMANDS = {
    "experiments": "lists the experiments with their claims",
    "run": "runs an experiment: run NAME [--smoke] [--publish] [options]",
    "train": "trains a model on parallel text",
    "prune": "sets the smallest weights of a model to zero",
    "retrain": "trains a model further; pruned weights stay at zero",
    "translate": "translates standard input to standard output, line by line",
    "evaluate": "computes perplexity and BLEU on a test set",
    "inspect": "shows a run or a model file: lineage, options, metrics, weights",
    "export": "writes a model as one small file, without its zeros",
    "distil-corpus": "translates a text with a teacher, for students to learn from",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    0; 130 after Ctrl-C; 2 after a UserError, an OSError or a missing extra, which are one line; 141 if the reader of
    its output has gone (0 of `translate`, a filter, whose work is then done). Other errors keep their traceback, and
    with SEQ2SLIM_TRACEBACK=1 all do.
    """
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        if command in ("-h", "--help"):
            print(_usage())
        elif command == "--version":
            print(f"seq2slim {VERSION}")
        elif command in COMMANDS:
            if command == "run":
                experiments_folder()  # without experiments, an extra is of no use
            importlib.import_module(f"seq2slim.cli.{command.replace('-', '_')}").run(rest)
        else:
            raise UserError(f"no command {command!r}; {nearest(command, COMMANDS)}")
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader closed the pipe; flushing at exit would fail
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0 if command == "translate" else 141
    except Exception as error:
        if isinstance(error, ModuleNotFoundError):
            error = missing_extra(error.name) or error
        if os.environ.get("SEQ2SLIM_TRACEBACK") or not isinstance(error, UserError | OSError | MissingExtra):
            raise
        print(f"seq2slim: {error}", file=sys.stderr)
        return 2
    return 0


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {meaning}" for name, meaning in COMMANDS.items()]
    help_ = f"{PROGRAM} COMMAND --help shows its options; {PROGRAM} --version the version."
    return "\n".join([f"usage: {PROGRAM} COMMAND", "", *lines, "", help_])
