"""Shards: the results of long work in parts that survive a kill. Each part is one file, complete or absent.

Shards are written by `files.written_whole`, so a restart computes only the missing ones and ends with the same bytes.
"""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

SHARD_BATCHES = 32  # batches per shard: the most that a kill can cost


def shard_path(folder: Path, index: int) -> Path:
    """The file of shard `index`."""
    return folder / f"shard-{index:06d}"


def missing_shards(folder: Path, count: int) -> list[int]:
    """Indices of the missing ones of `count` shards, ascending."""
    return [index for index in range(count) if not shard_path(folder, index).exists()]


def split_evenly(items: list, size: int) -> list[list]:
    """Runs of `size` items; the last may be shorter. Raises: ValueError if size is below 1."""
    if size < 1:
        raise ValueError(f"a shard holds at least 1 item, got {size}")
    return [items[start : start + size] for start in range(0, len(items), size)]


def grouped(results: Iterable, sizes: Iterable[int]) -> Iterator[list]:
    """`results` cut into lists of the given sizes, each yielded as soon as it is full.

    Raises: ValueError if the results end early.
    """
    results = iter(results)
    for size in sizes:
        group = list(itertools.islice(results, size))
        if len(group) < size:
            raise ValueError(f"{size} results were announced and {len(group)} came")
        yield group
