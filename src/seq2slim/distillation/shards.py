"""Long work in parts that survive a kill: each part is one file, whole or not there, and is made once.

A shard is written under another name, forced to the disk and renamed; what a kill leaves of an unfinished one is
overwritten. So a restart makes what is missing, and ends with the same bytes.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO


def shard_path(folder: Path, index: int) -> Path:
    """The file of shard `index`."""
    return folder / f"shard-{index:06d}"


def missing_shards(folder: Path, count: int) -> list[int]:
    """Which of `count` shards are not there yet, ascending."""
    return [index for index in range(count) if not shard_path(folder, index).exists()]


def split_evenly(items: list, size: int) -> list[list]:
    """Runs of `size` items, the last one shorter. Raises: ValueError if size is below 1."""
    if size < 1:
        raise ValueError(f"a shard holds at least 1 item, got {size}")
    return [items[start : start + size] for start in range(0, len(items), size)]


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Calls `write` with a file that becomes `path` when it is complete and on the disk, or leaves what was there."""
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def grouped(results: Iterable, sizes: Iterable[int]) -> Iterator[list]:
    """`results` cut into lists of the given sizes, each as soon as it is full.

    Raises: ValueError if the results end early.
    """
    results = iter(results)
    for size in sizes:
        group = list(itertools.islice(results, size))
        if len(group) < size:
            raise ValueError(f"{size} results were announced and {len(group)} came")
        yield group
