"""Plain text translated by a teacher, for students of any toolkit: behind `python -m seq2slim distil-corpus`.

The folder holds a teacher corpus (`distillation/teacher_corpus.py`) and, without the dropped lines, the training
pairs:

    pairs.source, pairs.target      parallel, one sentence per line
    pairs.lines                     line number (from 1) of each pair in the source file
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2slim.data.corpora import read_lines
from seq2slim.data.tokenised import TokenisedSide, TokenisedSplit
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.distillation.teacher_corpus import MANIFEST, TARGET, checked, read_manifest
from seq2slim.distillation.verify import verify
from seq2slim.errors import UserError
from seq2slim.files import write_atomically
from seq2slim.inference.model_files import load_model
from seq2slim.inference.teacher import decode_again, decode_corpus, make_teacher, search_facts
from seq2slim.inference.text_files import vocabularies
from seq2slim.runs.records import read_record

SHARDS = "shards"


def distil_corpus(
    teachers: Sequence[Path], source: Path, out: Path, search: SearchConfig, context, max_length: int = 50
) -> dict:
    """Translates a text file with a teacher. After a kill, the same call resumes.

    Args:
      teachers: run directories (of train, prune or retrain) with the same vocabularies; several are an ensemble.
      source: UTF-8, one sentence per line. Blank lines and those of more than `max_length` tokens are dropped.
      out: a folder, made if missing.
      search: K, length penalty, limits.
      context: with `say(line)`, `progress(step=, total=, sentences_per_s=)` and `stop_requested`, as `runs.Context`.
    Returns: the counts of the manifest (`teacher_corpus.write_lines`) and `sentences_per_second`.
    Raises: UserError if `out` holds another corpus or a damaged one, or the teachers have different vocabularies.
    """
    out.mkdir(parents=True, exist_ok=True)
    teacher, split, sources, facts = _read(teachers, source, search, context, max_length)
    if (out / MANIFEST).exists():
        manifest = read_manifest(out)
        if wrong := _differences(manifest, facts):
            raise UserError(f"{out} holds another corpus: {'; '.join(wrong)}. Choose another folder")
        _write_pairs(out, sources)  # in case a kill came after the corpus and before its pairs
        shutil.rmtree(out / SHARDS, ignore_errors=True)
        context.say(f"{out} is finished already")
        return manifest["counts"] | {"sentences_per_second": None}
    started = out / SHARDS / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    counts = decode_corpus(out, started, teacher, split, np.arange(len(split)), sources, search, facts, context)
    _write_pairs(out, sources)
    shutil.rmtree(out / SHARDS, ignore_errors=True)
    return counts


def verify_corpus(
    teachers: Sequence[Path], source: Path, out: Path, search: SearchConfig, context, max_length: int = 50
) -> list[str]:
    """Problems of the corpus in `out`, compared with what these arguments give; see `distillation.verify`."""
    teacher, split, sources, facts = _read(teachers, source, search, context, max_length)
    if (out / MANIFEST).exists() and (wrong := _differences(read_manifest(out), facts)):
        return wrong
    wrong = verify(out, sources, teacher.identities, lambda lines: decode_again(teacher, split, search, lines))
    if wrong:
        return wrong
    return [
        f"{path.name} does not match {TARGET} and the source"
        for path, content in _pairs(out, sources).items()
        if not path.is_file() or path.read_bytes() != content
    ]


def _differences(manifest: dict, facts: dict) -> list[str]:
    """Facts in which an existing corpus differs from the one asked for."""
    return [
        f"its {name.replace('_', ' ')} is {manifest.get(name)}, not {value}"
        for name, value in facts.items()
        if manifest.get(name) != value
    ]


def _read(teachers: Sequence[Path], source: Path, search: SearchConfig, context, max_length: int):
    """(teacher, its sources in ids, all source lines, facts for the manifest)."""
    models = [load_model(run_dir, context.say) for run_dir in teachers]
    pairs = [vocabularies(run_dir) for run_dir in teachers]
    if len({(first.sha256, second.sha256) for first, second in pairs}) != 1:
        raise UserError("the teachers of an ensemble must have the same vocabularies")
    names = [read_record(run_dir)["identity"] for run_dir in teachers]
    teacher = make_teacher(models, pairs[0], names)
    sources = [teacher.task.source(line) for line in read_lines(source)]
    encoded = pairs[0][0].encode_many(sources)
    lines = [line for line, ids in enumerate(encoded) if 0 < len(ids) <= max_length]
    if not lines:
        raise UserError(f"{source} has no line of 1 to {max_length} tokens")
    split = sources_alone([encoded[line] for line in lines], lines)
    digest = hashlib.sha256("".join(f"{line}\n" for line in sources).encode()).hexdigest()
    facts = {"teachers": names, **search_facts(search), "corpus": digest, "max_length": max_length}
    facts |= {"batch_size": search.batch_size}
    return teacher, split, sources, facts


def sources_alone(encoded: Sequence[Sequence[int]], lines: Sequence[int]) -> TokenisedSplit:
    """A split of source sentences with empty targets; `lines` are their line numbers."""
    sides = TokenisedSide.of(encoded), TokenisedSide.of([()] * len(encoded))
    return TokenisedSplit(*sides, np.asarray(lines, np.int64), {"pairs": len(encoded)})


def _pairs(out: Path, sources: Sequence[str]) -> dict[Path, bytes]:
    """Content of the pairs files. Raises: UserError if the targets have changed since they were written."""
    kept = [
        (line, source, target)
        for line, (source, target) in enumerate(zip(sources, read_lines(checked(out, TARGET)), strict=True), start=1)
        if target.strip()
    ]
    return {
        out / f"pairs.{name}": "".join(f"{row[column]}\n" for row in kept).encode()
        for column, name in enumerate(("lines", "source", "target"))
    }


def _write_pairs(out: Path, sources: Sequence[str]) -> None:
    for path, content in _pairs(out, sources).items():
        if not path.is_file() or path.read_bytes() != content:
            write_atomically(path, content)
