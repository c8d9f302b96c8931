"""The one definition of a line of text: everything that reads or counts sentences goes through here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[str]:
    """The sentences of a UTF-8 file, streamed.

    Only "\\n" ends a line, so that line numbers are those of `wc -l`, `paste` and every aligner: U+2028, form
    feeds, vertical tabs and a lone "\\r" stay inside the sentence. The "\\r" of a Windows line end and a byte order
    mark at the head of the file are taken off. A last line without its "\\n" counts.

    Raises: ValueError naming file and line where the bytes are not UTF-8.
    """
    with open(path, "rb") as file:
        yield from decode_lines(file, path)


def decode_lines(raw: Iterable[bytes], path: Path) -> Iterator[str]:
    """`read_lines` over raw lines that are already split at b"\\n"; `path` is for the error message alone."""
    for number, line in enumerate(raw, start=1):
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            where = f"byte 0x{line[error.start]:02x} at column {error.start + 1}"
            raise ValueError(f"{path}, line {number}: not UTF-8 ({where}); convert the file to UTF-8") from None


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes one sentence a line: the inverse of `read_lines` for sentences without "\\n" or a "\\r" at their end."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
