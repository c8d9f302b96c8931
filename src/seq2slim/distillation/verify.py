"""Verification of a teacher corpus: every line is checked, and a sample is decoded again."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from seq2slim.data.corpora import read_lines
from seq2slim.distillation.n_best import Hypothesis, check_of, from_line
from seq2slim.distillation.teacher_corpus import MANIFEST, N_BEST, TARGET, file_facts, read_manifest

TOLERANCE = 1e-4  # relative error of a recomputed log-probability: the order of summation differs between threads
MOST = 20  # complaints listed; a damaged file may cause thousands


def verify(
    folder: Path,
    sources: Sequence[str],
    teachers: Sequence[str] | None = None,
    decode: Callable[[list[int]], dict[int, list[Hypothesis]]] | None = None,
    sample: int = 32,
) -> list[str]:
    """What is wrong with a teacher corpus, one sentence per problem; [] if nothing is.

    Checked without a teacher: both files have the digests in the manifest; every hypothesis belongs to its source line,
    in order and unchanged; the plain text is the best hypothesis of each line. Checked with a teacher: its identity is
    that in the manifest, and a sample of lines, decoded again, gives the same result.

    Args:
      folder: folder of the corpus. sources: the source lines it was decoded from.
      teachers: the expected identities; None accepts any.
      decode: line numbers -> their n-best by the expected teachers.
      sample: number of lines to decode again, evenly spread; none are if the corpus is damaged.
    """
    complaints = list(_complaints(folder, sources, teachers, decode, sample))
    return complaints[:MOST] + ([f"and {len(complaints) - MOST} more"] if len(complaints) > MOST else [])


def _complaints(folder, sources, teachers, decode, sample) -> Iterator[str]:
    try:
        manifest = read_manifest(folder)
    except ValueError as error:
        yield str(error)
        return
    if teachers is not None and manifest.get("teachers") != list(teachers):
        yield f"{MANIFEST}: it is from {manifest.get('teachers')}, not from {list(teachers)}"
    best: dict[int, Hypothesis] = {}
    damaged = False
    for complaint in _damages(folder, manifest, sources, best):
        damaged = True
        yield complaint
    if decode is not None and best and not damaged:
        lines = sorted(best)
        chosen = lines[:: max(1, len(lines) // sample)][:sample]
        yield from _decoded_again(chosen, decode(chosen), best)


def _damages(folder: Path, manifest: dict, sources: Sequence[str], best: dict[int, Hypothesis]) -> Iterator[str]:
    """Complaints about the files alone; fills `best` with the first hypothesis of each line."""
    for name in (N_BEST, TARGET):
        if not (folder / name).is_file():
            yield f"{name} is missing"
            return
        if file_facts(folder / name) != manifest.get("files", {}).get(name):
            yield f"{name} has changed since it was written (size or SHA-256)"
    try:
        hypotheses = yield from _n_best_complaints(folder, sources, best)
        yield from _target_complaints(folder, sources, best)
    except ValueError as error:  # a byte that is not UTF-8: the lines after it cannot be read
        yield f"damaged: {str(error).split(';')[0]}"
        return
    for what, found in (("decoded", len(best)), ("hypotheses", hypotheses)):
        if found != (counted := manifest.get("counts", {}).get(what)):
            yield f"{N_BEST}: {found} {what}, but {MANIFEST} counts {counted}"


def _n_best_complaints(
    folder: Path, sources: Sequence[str], best: dict[int, Hypothesis]
) -> Generator[str, None, int]:  # fmt: skip
    """Complaints about single hypotheses; fills `best` with the first of each line. Returns: number of lines read."""
    last, number = -1, 0
    for number, text in enumerate(read_lines(folder / N_BEST), start=1):
        where = f"{N_BEST}, line {number}"
        try:
            hypothesis, check = from_line(text)
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        line = hypothesis.line
        if line >= len(sources):
            yield f"{where}: it is for source line {line}, but there are {len(sources)}"
            continue
        if line < last:
            yield f"{where}: source line {line} comes after {last}"
        last = max(last, line)
        if check_of(hypothesis, sources[line]) != check:
            yield f"{where}: this is not the teacher's hypothesis for source line {line}"
        best.setdefault(line, hypothesis)
    return number


def _target_complaints(folder: Path, sources: Sequence[str], best: dict[int, Hypothesis]) -> Iterator[str]:
    count = 0
    for line, text in enumerate(read_lines(folder / TARGET)):
        count += 1
        if text != (best[line].text if line in best else ""):
            yield f"{TARGET}, line {line + 1} is not the best hypothesis of source line {line}"
    if count != len(sources):
        yield f"{TARGET} has {count} lines for {len(sources)} source lines"


def _decoded_again(chosen: list[int], again: dict[int, list[Hypothesis]], best: dict[int, Hypothesis]) -> Iterator[str]:
    def differs(line: int) -> bool:
        own = again[line][0].log_prob if again.get(line) else float("-inf")
        return not abs(own - best[line].log_prob) <= TOLERANCE * max(1.0, abs(own))

    if wrong := [line for line in chosen if differs(line)]:
        yield (
            f"decoded again, {len(wrong)} of {len(chosen)} lines come out otherwise, the first is source line "
            f"{wrong[0]}: another teacher, or another search"
        )
