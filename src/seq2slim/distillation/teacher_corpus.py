"""A teacher corpus on disk: a teacher's translations of every source line of a training corpus.

    n_best.txt      the K best hypotheses of each line (`n_best.py`), in line order
    target.txt      the best one as plain text, exactly one line per source line; empty where there is none
    teacher.json    written last: teachers, search and corpus, what was left out, size and SHA-256 of the files; for a
                    jackknife with F teachers, `folds` F: line n is decoded by teacher n modulo F

Targets chosen from an n-best list, or a text with lines left out, have only target.txt and its teacher.json.

Text is stored, not token ids, so any toolkit can train on it. Training here tokenises it again, possibly into other
pieces than the teacher emitted.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2slim.distillation.n_best import Hypothesis, from_line, to_line
from seq2slim.distillation.shards import shard_path
from seq2slim.errors import UserError
from seq2slim.files import write_atomically, written_whole

FORMAT = "seq2slim teacher corpus 1"
N_BEST, TARGET, MANIFEST = "n_best.txt", "target.txt", "teacher.json"


def write_shard(path: Path, hypotheses: Iterable[Sequence[Hypothesis]], sources: Sequence[str]) -> None:
    """Writes the n-best of some lines, in any order, as one shard."""
    lines = [to_line(hypothesis, sources[hypothesis.line]) + "\n" for own in hypotheses for hypothesis in own]
    write_atomically(path, "".join(lines))


def write_corpus(folder: Path, shards: Path, count: int, sources: Sequence[str], facts: dict[str, Any]) -> dict:
    """Writes the lines of finished shards in order, as a teacher corpus.

    Args:
      folder: output folder. shards: folder of `count` shards. sources: all source lines.
      facts: for the manifest: teachers, corpus, search, and which lines were to be decoded ("asked").
    Returns: the manifest.
    Raises: UserError if a line is in two shards.
    """
    place = np.full((len(sources), 2), -1, np.int64)  # start and end of each line in `joined`
    with tempfile.TemporaryFile(dir=folder) as joined:  # more shards may exist than files can be open at once
        end = 0
        for index in range(count):
            with open(shard_path(shards, index), "rb") as file:
                for raw in file:
                    line = int(raw[: raw.index(b" ")])
                    if place[line, 1] not in (-1, end):
                        raise UserError(f"line {line} was decoded twice: remove {shards} and decode again")
                    if place[line, 0] < 0:
                        place[line, 0] = end
                    joined.write(raw)
                    end += len(raw)
                    place[line, 1] = end
            end += joined.write(b"\n")  # separates shards: a line continued in the next shard was decoded twice

        def lines():
            for start, end in place:
                joined.seek(max(start, 0))
                yield joined.read(end - start)

        return write_lines(folder, lines(), facts)


def write_lines(folder: Path, lines: Iterable[bytes], facts: dict[str, Any]) -> dict:
    """Writes a teacher corpus from the raw n-best of every source line in order (b"" where there is none).

    Returns: the manifest, with the counts `lines`; `decoded`, lines with a hypothesis; `dropped`, lines without one or
      with an empty one, which no student sees (for a fold, only its lines count); `cut`, lines whose best hypothesis
      was ended by the length limit; `hypotheses`.
    """
    counts = dict.fromkeys(("lines", "decoded", "dropped", "empty", "cut", "hypotheses"), 0)
    best: list[str] = []

    with written_whole(folder / N_BEST) as file:
        for raw in lines:
            file.write(raw)
            counts["lines"] += 1
            if not raw:
                best.append("")
                continue
            first, _ = from_line(raw.split(b"\n", 1)[0].decode())
            best.append(first.text)
            counts["decoded"] += 1
            counts["empty"] += not first.text.strip()
            counts["cut"] += first.cut
            counts["hypotheses"] += raw.count(b"\n")
    asked = len(range(facts["fold"], counts["lines"], facts["folds"])) if "fold" in facts else counts["lines"]
    counts["dropped"] = asked - counts["decoded"] + counts["empty"]
    return write_target(folder, best, {**facts, "counts": counts}, (N_BEST, TARGET))


def write_target(
    folder: Path, lines: Iterable[str], facts: dict[str, Any] | None = None, files: Sequence[str] = (TARGET,)
) -> dict:
    """Writes `target.txt`: a student's target for each source line, empty for lines that it does not see.

    Args: facts: for the manifest. files: those whose digests the manifest lists.
    Returns: the manifest, written last.
    """
    with written_whole(folder / TARGET) as file:
        file.writelines(f"{line}\n".encode() for line in lines)
    manifest = {"format": FORMAT, **(facts or {}), "files": {name: file_facts(folder / name) for name in files}}
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return manifest


def checked(folder: Path, name: str) -> Path:
    """Path of the file `name` of a teacher corpus. Raises: UserError if the file has changed since it was written."""
    if file_facts(folder / name) != read_manifest(folder).get("files", {}).get(name):
        raise UserError(f"{folder / name} has changed since it was written: remove {folder} and run the same again")
    return folder / name


def read_manifest(folder: Path) -> dict:
    """The manifest. Raises: UserError if it is missing or not of this format."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise UserError(f"its format is {manifest['format']!r}")
    except FileNotFoundError:
        raise UserError(f"{folder} is not a finished teacher corpus: {MANIFEST} is missing") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / MANIFEST} is not a manifest of {FORMAT!r}: {error}") from None
    return manifest


def file_facts(path: Path) -> dict:
    """Size in bytes and SHA-256 of a file."""
    with open(path, "rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
