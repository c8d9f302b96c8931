"""N-best hypotheses as text, in the format that Moses and most rerankers read.

    17 ||| Ein Mann schläft . ||| log_prob= -3.25 length= 6 cut= 0 check= 1a2b3c4d ||| -1.5

One hypothesis per line: number of its source line (from 0), text, features, ranking score. Hypotheses of one source are
consecutive, best first. `check` binds a hypothesis to its source: the first digits of a SHA-256 over line number,
source, text and log-probability. With it, moved or changed hypotheses are detected without the teacher.
"""

import hashlib
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from seq2slim.data.corpora import read_lines
from seq2slim.errors import UserError

SEPARATOR = " ||| "
_FEATURES = re.compile(r"log_prob= (\S{1,30}) length= (\d{1,9}) cut= ([01]) check= ([0-9a-f]{8})")


class Hypothesis(NamedTuple):
    """One output of a teacher.

    line: number of its source line, from 0. text: detokenised. log_prob: nats, EOS included. score: the ranking score.
    length: tokens, EOS included. cut: whether the length limit ended it, rather than the teacher.
    """

    line: int
    text: str
    log_prob: float
    score: float
    length: int
    cut: bool


def check_of(hypothesis: Hypothesis, source: str) -> str:
    """8 hex digits that identify this hypothesis of this source."""
    content = f"{hypothesis.line}\n{source}\n{hypothesis.text}\n{hypothesis.log_prob:.9g}"
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def to_line(hypothesis: Hypothesis, source: str) -> str:
    """One line, without its newline. Nine digits restore a float32 exactly."""
    features = (
        f"log_prob= {hypothesis.log_prob:.9g} length= {hypothesis.length} cut= {int(hypothesis.cut)} "
        f"check= {check_of(hypothesis, source)}"
    )
    return SEPARATOR.join((str(hypothesis.line), hypothesis.text, features, f"{hypothesis.score:.9g}"))


def from_line(text: str) -> tuple[Hypothesis, str]:
    """(hypothesis, its check) of a line. Raises: UserError if the line is not a hypothesis."""
    number, _, rest = text.partition(SEPARATOR)
    parts = rest.rsplit(SEPARATOR, 2)
    found = _FEATURES.fullmatch(parts[1]) if len(parts) == 3 else None
    if not found or not re.fullmatch(r"\d{1,12}", number):
        raise UserError(f"not a hypothesis: {text[:80]!r}")
    values = float(found[1]), float(parts[2])
    if not all(map(math.isfinite, values)):
        raise UserError(f"a hypothesis with the scores {values[0]} and {values[1]}")
    return Hypothesis(int(number), parts[0], *values, int(found[2]), found[3] == "1"), found[4]


def read_n_best(path: Path) -> Iterator[tuple[int, list[Hypothesis]]]:
    """(line number, its hypotheses, best first), in the order of the file, streamed.

    Raises: UserError naming file and line where a line is not a hypothesis.
    """

    def parsed() -> Iterable[Hypothesis]:
        for number, text in enumerate(read_lines(path), start=1):
            try:
                yield from_line(text)[0]
            except ValueError as error:
                raise UserError(f"{path}, line {number}: {error}") from None

    for line, hypotheses in itertools.groupby(parsed(), key=lambda hypothesis: hypothesis.line):
        yield line, list(hypotheses)
