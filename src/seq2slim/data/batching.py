"""Batches of fixed shapes, and the plan of which sentences are in which batch of which epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seq2slim.data.shapes import fit_shapes, ladder
from seq2slim.data.tokenised import TokenisedSide, TokenisedSplit
from seq2slim.special_ids import BOS, EOS, PAD

Shape = tuple[int, int]  # (S, T)
Plan = list[tuple[Shape, np.ndarray]]  # for each step its shape and its rows int64[<= B] of the split


@dataclass(frozen=True)
class BatchConfig:
    """How sentences become batches.

    batch_size: B, sentence pairs per batch.
    reverse_source: reverse the source and pad it on the left: its first word is the encoder's last input.
    shapes: most padded shapes in training; each is compiled once.
    """

    batch_size: int = 64
    reverse_source: bool = True
    shapes: int = 10

    def __post_init__(self):
        for name in ("batch_size", "shapes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 1")


class Batch(NamedTuple):
    """B sentence pairs, padded with PAD; a row with id -1 fills the batch and is all PAD."""

    source: np.ndarray  # int32[B, S]: w1 .. wm, right-padded; or wm .. w1, left-padded, with `reverse_source`
    target_in: np.ndarray  # int32[B, T]: BOS w1 .. wn
    target_out: np.ndarray  # int32[B, T]: w1 .. wn EOS
    ids: np.ndarray  # int32[B]: line number in the split's files, from 0


def plan_epoch(lengths: np.ndarray, config: BatchConfig, seed: int, epoch: int) -> Plan:
    """The batches of one training epoch in order; a pure function of the arguments.

    The pairs are shuffled, sorted (stably) by the shape they need and cut into batches, whose order is shuffled.
    Every pair is in exactly one batch, at most one batch is short, and every epoch has ceil(N / B) steps.

    Args:
      lengths: int[N, 2], source and target tokens of each pair, without BOS and EOS.
    """
    widths = _widths(lengths)
    if not len(widths):
        return []
    shapes = fit_shapes(widths, config.shapes)
    generator = np.random.default_rng([seed, epoch])
    # The shapes are nested, so the first that holds a pair is the later of the first that hold each side.
    needed = np.maximum(*(np.searchsorted(shapes[:, side], widths[:, side]) for side in (0, 1))).astype(np.uint16)
    shuffled = generator.permutation(len(widths))
    plan = _cut(shuffled[np.argsort(needed[shuffled], kind="stable")], needed, shapes, config.batch_size)
    return [plan[step] for step in generator.permutation(len(plan))]


def plan_evaluation(lengths: np.ndarray, config: BatchConfig, targets: bool = True, step: int = 4) -> Plan:
    """Batches of all pairs in order of length; the padded shape of a pair depends on its length alone.

    Args:
      lengths: as in `plan_epoch`.
      targets: if False, plan for decoding: shapes (S, 0) that depend on the source alone.
      step: between widths, as in `ladder`.
    """
    widths = _widths(lengths)
    widths = widths.max(axis=1) if targets else widths[:, 0]
    if not len(widths):
        return []
    rungs = ladder(int(widths.max()), step)
    needed = np.searchsorted(rungs, widths)
    order = np.lexsort((np.arange(len(widths)), widths))
    shapes = np.stack([rungs, rungs if targets else np.zeros_like(rungs)], axis=1)
    ends = np.cumsum(np.bincount(needed, minlength=len(rungs)))
    return [
        batch
        for start, end in zip([0, *ends[:-1]], ends)
        for batch in _cut(order[start:end], needed, shapes, config.batch_size)
    ]


def make_batch(split: TokenisedSplit, rows: np.ndarray, shape: Shape, config: BatchConfig) -> Batch:
    """The pairs `rows` of `split`, padded to `shape` and filled to `config.batch_size` rows; no targets if T = 0.

    Raises: ValueError if a pair does not fit the shape, or there are more rows than `config.batch_size`.
    """
    source_width, target_width = shape
    if len(rows) > config.batch_size:
        raise ValueError(f"{len(rows)} rows for a batch of {config.batch_size}")
    source = _gather(split.source, rows, config.batch_size, source_width, config.reverse_source)
    ids = np.full(config.batch_size, -1, np.int32)
    ids[: len(rows)] = split.lines[rows]
    if not target_width:
        nothing = np.zeros((config.batch_size, 0), np.int32)
        return Batch(source, nothing, nothing, ids)
    words = _gather(split.target, rows, config.batch_size, target_width - 1, False)
    edge = np.full((config.batch_size, 1), PAD, np.int32)
    target_in, target_out = np.concatenate([edge, words], axis=1), np.concatenate([words, edge], axis=1)
    target_in[: len(rows), 0] = BOS
    lengths = split.target.offsets[rows + 1] - split.target.offsets[rows]
    target_out[np.arange(len(rows)), lengths] = EOS
    return Batch(source, target_in, target_out, ids)


def steps_per_epoch(pairs: int, config: BatchConfig) -> int:
    """Steps per training epoch with `pairs` pairs."""
    return -(-pairs // config.batch_size)


def train_batches(split: TokenisedSplit, config: BatchConfig, seed: int, step: int = 0) -> Iterator[Batch]:
    """Endless training batches, starting at step `step` (counted from 0 over all epochs).

    Raises: ValueError if the split is empty.
    """
    if not len(split):
        raise ValueError("there is nothing to train on: the split is empty")
    lengths = split.lengths
    epoch, skip = divmod(step, steps_per_epoch(len(split), config))
    while True:
        for shape, rows in plan_epoch(lengths, config, seed, epoch)[skip:]:
            yield make_batch(split, rows, shape, config)
        epoch, skip = epoch + 1, 0


def evaluation_batches(
    split: TokenisedSplit, config: BatchConfig, targets: bool = True, rows: np.ndarray | None = None, step: int = 4
) -> Iterator[Batch]:
    """Every pair of the split once, or only the pairs `rows` int64[n], in the order of `plan_evaluation`."""
    rows = np.arange(len(split)) if rows is None else np.asarray(rows)
    for shape, chosen in plan_evaluation(split.lengths[rows], config, targets, step):
        yield make_batch(split, rows[chosen], shape, config)


def _widths(lengths: np.ndarray) -> np.ndarray:
    """int64[N, 2]: columns that each pair needs; a target needs one more than its words, for BOS or EOS."""
    return np.asarray(lengths, np.int64).reshape(-1, 2) + np.array([0, 1])


def _cut(rows: np.ndarray, needed: np.ndarray, shapes: np.ndarray, batch_size: int) -> Plan:
    """`rows`, sorted by the shape they need, cut into batches with the shape of their last row."""
    starts = range(0, len(rows), batch_size)
    chunks = [rows[start : start + batch_size] for start in starts]
    as_tuples = [(int(source), int(target)) for source, target in shapes]
    return [(as_tuples[needed[chunk[-1]]], chunk) for chunk in chunks]


def _gather(side: TokenisedSide, rows: np.ndarray, batch_size: int, width: int, backwards: bool) -> np.ndarray:
    """int32[B, width]: the sentences `rows`, padded on the right; or reversed, so padded on the left."""
    starts, ends = side.offsets[rows], side.offsets[rows + 1]
    if len(rows) and (ends - starts).max() > width:
        raise ValueError(f"a sentence of {(ends - starts).max()} tokens does not fit {width} columns")
    padded = np.full((batch_size, width), PAD, np.int32)
    positions = starts[:, None] + np.arange(width)
    inside = positions < ends[:, None]
    padded[: len(rows)][inside] = side.ids[positions[inside]]
    return padded[:, ::-1] if backwards else padded
