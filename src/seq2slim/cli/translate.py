"""`translate`: a filter that translates lines."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from seq2slim.cli.models import chosen, learn_dictionary, say
from seq2slim.cli.options import parse
from seq2slim.data.corpora.lines import forgiving_lines
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.errors import UserError
from seq2slim.inference.translator import WINDOW, Hypothesis, Replacement

DESCRIPTION = """Translates standard input to standard output: one line for each line, in order, whatever it contains.

    python -m seq2slim translate --run runs/retrain-... < in.txt > out.txt
    python -m seq2slim translate --model model.slim < in.txt > out.txt

Memory does not grow with the input. Changes to odd lines are reported on stderr. Options that are not given are those
of the recipe with the most similar model."""


@dataclass(frozen=True)
class Options:
    """Options of translate.

    Attributes:
      run: run directory of a trained, pruned or retrained model.
      model: a sparse model file, made by export, instead of --run.
      beam: hypotheses per sentence; 1 is greedy, and fast.
      n_best: print exactly this many lines per input line, best first; blank if the search finds fewer.
      scores: print the score (log-probability by length penalty) and a tab before each translation.
      replace_unknown: replace <unk> by the attended source word (copy) or by its translation in a dictionary that is
        learnt from the attention over the training set and kept in the run (dictionary), or keep it (no).
      length_penalty: none, gnmt (Wu et al. 2016) or power, of the length in tokens.
      alpha: exponent of the length penalty; 0 is none.
      limits: shortest and longest translation: half to one and a half times the source (paper), or wider.
      batch_size: sentences searched together.
      window: lines read ahead and sorted by length; 1 at a terminal.
    """

    run: Path | None = None
    model: Path | None = None
    beam: int | None = None
    n_best: int | None = None
    scores: bool = False
    replace_unknown: Replacement | None = None
    length_penalty: Literal["none", "gnmt", "power"] | None = None
    alpha: float | None = None
    limits: Literal["paper", "wide"] | None = None
    batch_size: int | None = None
    window: int = WINDOW


def run(arguments: Sequence[str]):
    """Translates stdin to stdout."""
    (options,) = parse("translate", DESCRIPTION, arguments, Options)
    if options.window < 1:
        raise UserError(f"--window is a number of lines, at least 1, got {options.window}")
    model = chosen("translate", options.run, options.model)
    search = model.configured(
        options.beam,
        options.n_best,
        length_penalty=_penalty(model.search.length_penalty, options.length_penalty, options.alpha),
        limits=options.limits,
        batch_size=options.batch_size,
    )
    if options.replace_unknown == "dictionary":
        learn_dictionary(model)
    odd, source = OddLines(), sys.stdin.buffer
    window = 1 if source.isatty() else options.window
    found = model.stream(
        forgiving_lines(source, odd.note),
        search,
        options.replace_unknown,
        options.n_best or 1,
        window=window,
        report=odd.note,
    )
    write(found, sys.stdout.buffer, options.scores, flush=window == 1)
    odd.tell()


def write(found: Iterator[list[Hypothesis]], out: BinaryIO, scores: bool, flush: bool = False):
    """Writes one line per hypothesis, each in one write."""
    for hypotheses in found:
        for text, score, _ in hypotheses:
            out.write((f"{score:.4f}\t{text}\n" if scores else f"{text}\n").encode())
        if flush:
            out.flush()
    out.flush()


class OddLines:
    """Reports changes to odd lines on stderr: the first of each kind at once, the others as a count."""

    def __init__(self):
        self._first: dict[str, int] = {}
        self._count: Counter[str] = Counter()

    def note(self, number: int, what: str):
        kind = what.partition(" of ")[0]
        self._count[kind] += 1
        if kind not in self._first:
            self._first[kind] = number
            say(f"line {number}: {what}")

    def tell(self):
        for kind, count in self._count.items():
            if count > 1:
                say(f"{count:,} lines in all, from line {self._first[kind]} on: {kind}")


def _penalty(own: LengthPenalty, kind: str | None, alpha: float | None) -> LengthPenalty | None:
    if kind is None and alpha is None:
        return None
    if alpha and (kind or own.kind) == "none":
        raise UserError("--alpha is the exponent of a length penalty, and there is none: add --length-penalty gnmt")
    return LengthPenalty(kind or own.kind, own.alpha if alpha is None else alpha)
