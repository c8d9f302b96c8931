"""A teacher corpus out of plain source text: what `python -m seq2slim distil-corpus` calls.

Beside the teacher corpus itself (`distillation/teacher_corpus.py`) stand the pairs that any toolkit can train on,
without the lines that were dropped:

    pairs.source, pairs.target      parallel, one sentence a line
    pairs.lines                     the number (from 1) of each pair's line in the source file
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
from seq2slim.inference.teacher import Teacher, decode_again, decode_corpus, search_facts
from seq2slim.inference.text_files import vocabularies
from seq2slim.runs.runner import CONFIG

SHARDS = "shards"


def distil_corpus(
    teachers: Sequence[Path], source: Path, out: Path, search: SearchConfig, context, max_length: int = 50
) -> dict:
    """Translates a text file with a teacher, resumable after a kill: the same command again goes on.

    Args:
      teachers: folders of runs (of train, prune or retrain) with the same vocabularies; several are an ensemble.
      source: UTF-8, one sentence a line. Blank lines and those of more than `max_length` tokens are dropped.
      out: a folder, made when missing.
      search: K, length penalty, limits.
      context: with `say(line)`, `progress(step=, total=, sentences_per_s=)` and `stop_requested`, as stages have it.
    Returns: the counts of the manifest (`teacher_corpus.write_lines`) and `sentences_per_second`.
    Raises: UserError if `out` holds another corpus or a damaged one, or the teachers have different vocabularies.
    """
    out.mkdir(parents=True, exist_ok=True)
    teacher, split, sources, facts = _read(teachers, source, search, context, max_length)
    if (out / MANIFEST).exists():
        manifest = read_manifest(out)
        if wrong := _differences(manifest, facts):
            raise UserError(f"{out} holds another corpus: {'; '.join(wrong)}. Choose another folder")
        _write_pairs(out, sources)  # where a kill came between the corpus and its pairs
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
    """What is wrong with the corpus in `out`, if it should be that of these arguments; see `distillation.verify`."""
    teacher, split, sources, facts = _read(teachers, source, search, context, max_length)
    if (out / MANIFEST).exists() and (wrong := _differences(read_manifest(out), facts)):
        return wrong
    wrong = verify(out, sources, teacher.identities, lambda lines: decode_again(teacher, split, search, lines))
    if wrong:
        return wrong
    return [
        f"{path.name} is not what {TARGET} and the source say"
        for path, content in _pairs(out, sources).items()
        if not path.is_file() or path.read_bytes() != content
    ]


def _differences(manifest: dict, facts: dict) -> list[str]:
    """In what a corpus that is there is another than the one asked for."""
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
    names = [json.loads((run_dir / CONFIG).read_text(encoding="utf-8"))["identity"] for run_dir in teachers]
    sources = list(read_lines(source))
    encoded = pairs[0][0].encode_many(sources)
    lines = [line for line, ids in enumerate(encoded) if 0 < len(ids) <= max_length]
    if not lines:
        raise UserError(f"{source} has no line of 1 to {max_length} tokens")
    split = sources_alone([encoded[line] for line in lines], lines)
    digest = hashlib.sha256("".join(f"{line}\n" for line in sources).encode()).hexdigest()
    facts = {"teachers": names, **search_facts(search), "corpus": digest, "max_length": max_length}
    facts |= {"batch_size": search.batch_size}
    return Teacher(models, pairs[0][1], names), split, sources, facts


def sources_alone(encoded: Sequence[Sequence[int]], lines: Sequence[int]) -> TokenisedSplit:
    """A split of source sentences with empty targets; `lines` are their numbers."""
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in encoded])]).astype(np.int64)
    source = TokenisedSide(np.fromiter((i for ids in encoded for i in ids), np.int32, offsets[-1]), offsets)
    nothing = TokenisedSide(np.zeros(0, np.int32), np.zeros(len(encoded) + 1, np.int64))
    return TokenisedSplit(source, nothing, np.asarray(lines, np.int64), {"pairs": len(encoded)})


def _pairs(out: Path, sources: Sequence[str]) -> dict[Path, bytes]:
    """What the pairs' files must hold. Raises: UserError if the targets have changed since they were written."""
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
