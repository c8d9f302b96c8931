"""Decoding a training corpus with a teacher, shard by shard, for the Decode stage and for plain text files."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2slim.data import batching
from seq2slim.data.batching import Batch
from seq2slim.data.tokenised import TokenisedSplit
from seq2slim.data.vocabulary import Vocabulary
from seq2slim.decoding.constraints import Constraint
from seq2slim.decoding.hypotheses import BeamResult
from seq2slim.decoding.length_limits import LIMITS
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.distillation import teacher_corpus
from seq2slim.distillation.n_best import Hypothesis
from seq2slim.distillation.shards import SHARD_BATCHES, grouped, missing_shards, shard_path, split_evenly
from seq2slim.errors import StopRequested, UserError
from seq2slim.evaluation.translate import search_lines
from seq2slim.inference.model_files import Model
from seq2slim.inference.search import make_search
from seq2slim.special_ids import PAD
from seq2slim.tasks import Task, task_named


class Teacher(NamedTuple):
    """Models that decode as one ensemble, and the vocabulary that turns their ids into text."""

    models: Sequence[Model]
    vocabulary: Vocabulary  # of the target side
    identities: Sequence[str]  # of the stages that made the models
    constraint: Constraint | None = None  # on what they emit

    @property
    def task(self) -> Task:
        """What the models have learnt."""
        return task_named(self.models[0].task)


def make_teacher(
    models: Sequence[Model], vocabularies: tuple[Vocabulary, Vocabulary], identities: Sequence[str]
) -> Teacher:
    """The ensemble of models of one task, with (source, target) vocabularies. Raises: UserError for several tasks."""
    if len(tasks := {model.task for model in models}) != 1:
        raise UserError(f"the teachers of an ensemble must have learnt one task, got {', '.join(sorted(tasks))}")
    constraint = task_named(models[0].task).constraint(*vocabularies)
    return Teacher(models, vocabularies[1], identities, constraint)


def search_facts(search: SearchConfig) -> dict:
    """The options of a search that decide its results, for a manifest."""
    return {"beam": search.beam, "length_penalty": asdict(search.length_penalty), "limits": search.limits}


def decode_lines(teacher: Teacher, batches: Iterable[Batch], search: SearchConfig) -> Iterator[list[Hypothesis]]:
    """The n-best of each line, in the order of the batches; [] if every score was NaN or -inf."""
    limits = LIMITS[search.limits]
    for line, source, result in search_lines(
        make_search(teacher.models, search, constraint=teacher.constraint), batches
    ):
        longest = int(limits(int((source != PAD).sum())).max_length)
        yield _hypotheses(line, source, result, longest, teacher)


def _hypotheses(line: int, source: np.ndarray, result: BeamResult, longest: int, teacher: Teacher) -> list[Hypothesis]:
    found = []
    for rank, (log_prob, score, length) in enumerate(zip(result.log_prob, result.score, result.length)):
        if not length:
            break  # the rest of the beam is unused too
        text = teacher.task.text(result, rank, line, source, teacher.vocabulary)
        found.append(Hypothesis(line, text, float(log_prob), float(score), int(length), int(length) >= longest))
    return found


def decode_corpus(
    run_dir: Path,
    scratch: Path,
    teacher: Teacher,
    split: TokenisedSplit,
    rows: np.ndarray,
    sources: Sequence[str],
    search: SearchConfig,
    facts: dict,
    context,
) -> dict:
    """Decodes `rows` of a split into a teacher corpus in `run_dir`; resumes after the last shard in `scratch`.

    Batches are cut from rows sorted by length, and a shard is a run of batches, so shards add no padding. The shard of
    a line depends on the lengths alone; the result does not depend on the shards.

    Args:
      split: holds the sources. rows: int64[n], which pairs. sources: all source lines, by line number.
      facts: further entries of the manifest.
      context: of the stage, for progress and stop requests.
    Returns: the counts of the manifest, and `sentences_per_second` of this attempt.
    Raises: StopRequested after a complete shard, if a stop was requested.
    """
    config = batching.BatchConfig(search.batch_size, teacher.models[0].reverse_source)
    plan = batching.plan_evaluation(split.lengths[rows], config, targets=False)
    shards = split_evenly(plan, SHARD_BATCHES)
    scratch = scratch / f"shards-of-{SHARD_BATCHES}"  # never mixed with shards of another size
    scratch.mkdir(parents=True, exist_ok=True)
    sizes = [sum(len(chosen) for _, chosen in shard) for shard in shards]
    missing = missing_shards(scratch, len(shards))
    if len(missing) < len(shards):
        context.say(f"resuming after {len(shards) - len(missing)} of {len(shards)} shards")
    batches = (
        batching.make_batch(split, rows[chosen], shape, config) for index in missing for shape, chosen in shards[index]
    )
    done, start = sum(sizes) - sum(sizes[index] for index in missing), time.perf_counter()
    before = done

    def counted(hypotheses):
        nonlocal done
        for own in hypotheses:
            done += 1
            rate = (done - before) / (time.perf_counter() - start)
            context.progress(step=done, total=len(rows), sentences_per_s=rate)
            yield own

    found = counted(decode_lines(teacher, batches, search))
    for index, own in zip(missing, grouped(found, [sizes[index] for index in missing])):
        teacher_corpus.write_shard(shard_path(scratch, index), own, sources)
        if context.stop_requested:
            raise StopRequested(f"{done:,} of {len(rows):,} lines are decoded and saved")
    seconds = time.perf_counter() - start
    manifest = teacher_corpus.write_corpus(
        run_dir,
        scratch,
        len(shards),
        sources,
        {
            "teachers": list(teacher.identities),
            **search_facts(search),
            "asked": len(rows),
            **facts,
        },
    )
    return manifest["counts"] | {"sentences_per_second": round((done - before) / seconds, 2) if missing else None}


def decode_again(
    teacher: Teacher, split: TokenisedSplit, search: SearchConfig, lines: list[int]
) -> dict[int, list[Hypothesis]]:
    """The n-best of some lines, decoded as by `decode_corpus`, for `distillation.verify`."""
    row_of = {int(line): row for row, line in enumerate(split.lines)}
    rows = np.array([row_of[line] for line in lines])
    config = batching.BatchConfig(search.batch_size, teacher.models[0].reverse_source)
    batches = batching.evaluation_batches(split, config, targets=False, rows=rows)
    return {own[0].line: own for own in decode_lines(teacher, batches, search) if own}
