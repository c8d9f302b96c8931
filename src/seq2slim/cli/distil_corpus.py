"""`distil-corpus`: a text translated by a teacher, as plain text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from seq2slim.cli.options import parse
from seq2slim.cli.runs import find_model_run
from seq2slim.errors import UserError
from seq2slim.inference.distilled_text import distil_corpus, verify_corpus
from seq2slim.inference.model_files import load_config
from seq2slim.recipes import closest_recipe
from seq2slim.runs.console import Console

DESCRIPTION = """Translates a text with a teacher (Kim & Rush 2016), for a student of any toolkit to learn from.

    python -m seq2slim distil-corpus --teacher runs/train-... \\
        --corpus train.en -o distilled

The folder then holds pairs.source and pairs.target, one sentence per line, pairs.lines (their line numbers in the
corpus), the n-best list and a manifest. After a kill, the same command resumes; --verify checks that a folder is what
this command would have written."""


@dataclass(frozen=True)
class Options:
    """Options of distil-corpus.

    Attributes:
      teacher: run directory of a trained model; several are an ensemble.
      corpus: source text, UTF-8, one sentence per line.
      output: the folder to write.
      beam: hypotheses per sentence.
      max_length: longer lines (in tokens) and blank ones are dropped and counted.
      verify: decode a sample again and compare it; write nothing.
    """

    teacher: tuple[Path, ...]
    corpus: Path
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    beam: int = 5
    max_length: int = 50
    verify: bool = False


class _Progress:
    """Shows progress on the console. Never requests a stop: a kill loses at most one shard."""

    stop_requested = False

    def __init__(self):
        self._console = Console()

    def say(self, line: str):
        self._console.say(line)

    def progress(self, step: int, total: int, **values: float):
        self._console.progress("distil-corpus", step, total, **values)

    def finish(self):
        self._console.finish()


def run(arguments: Sequence[str]):
    """Decodes, or verifies an existing folder."""
    (options,) = parse("distil-corpus", DESCRIPTION, arguments, Options)
    run_dirs = [find_model_run(teacher) for teacher in options.teacher]
    search = replace(closest_recipe(load_config(run_dirs[0])).search, beam=options.beam)
    context = _Progress()
    words = (run_dirs, options.corpus, options.output, search, context, options.max_length)
    try:
        found = verify_corpus(*words) if options.verify else distil_corpus(*words)
    finally:
        context.finish()
    if options.verify:
        if found:
            raise UserError("; ".join(found))
        context.say(f"{options.output} is what these teachers make of {options.corpus}")
        return
    context.say(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items() if value is not None))
    context.say(str(options.output))
