"""The definition of a line of text, used by everything that reads or counts sentences."""

from __future__ import annotations

import codecs
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from seq2slim.errors import UserError

MOST_BYTES = 2**20  # of a line to translate; far above any real sentence
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[str]:
    """The sentences of a UTF-8 file, streamed.

    Only "\\n" ends a line, so that line numbers are those of `wc -l`, `paste` and every aligner: U+2028, form
    feeds, vertical tabs and a lone "\\r" stay inside the sentence. The "\\r" of a Windows line end and a byte order
    mark at the start of the file are removed. A last line without "\\n" counts.

    Raises: UserError naming file and line where the bytes are not UTF-8.
    """
    with open(path, "rb") as file:
        yield from decode_lines(file, path)


def decode_lines(raw: Iterable[bytes], path: Path) -> Iterator[str]:
    """`read_lines` over raw lines that are already split at b"\\n"; `path` is for error messages."""
    for number, line in enumerate(raw, start=1):
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            where = f"byte 0x{line[error.start]:02x} at column {error.start + 1}"
            raise UserError(f"{path}, line {number}: not UTF-8 ({where}); convert the file to UTF-8") from None


def forgiving_lines(file: BinaryIO, report: Callable[[int, str], None]) -> Iterator[str]:
    """The sentences of any stream: as many as `read_lines` would give, but without errors.

    Bytes that are not UTF-8 become U+FFFD, one per maximal invalid part. A line is cut after `MOST_BYTES`, so memory is
    bounded.

    Args:
      file: binary, buffered.
      report: called with the line number, from 1, and what was done to the line.
    """
    for number in itertools.count(1):
        line = file.readline(MOST_BYTES)
        if not line:
            return
        if cut := len(line) == MOST_BYTES and not line.endswith(b"\n"):
            while (rest := file.readline(MOST_BYTES)) and not rest.endswith(b"\n"):
                pass
            report(number, f"cut after {MOST_BYTES:,} bytes")
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        try:
            yield codecs.utf_8_decode(line, "strict", not cut)[0]
        except UnicodeDecodeError:
            report(number, "not UTF-8: what is wrong was replaced by U+FFFD")
            yield line.decode("utf-8", "replace")


def write_pairs(source: Path, target: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Writes parallel sentences, one per line, into two files, as a stream."""
    with (
        open(source, "w", encoding="utf-8", newline="\n") as first,
        open(target, "w", encoding="utf-8", newline="\n") as second,
    ):
        for one, other in pairs:
            first.write(f"{one}\n")
            second.write(f"{other}\n")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes one sentence per line: the inverse of `read_lines` for sentences without "\\n" or a "\\r" at their end."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
