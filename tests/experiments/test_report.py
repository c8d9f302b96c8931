"""Names of corpora, groups and files in reports, and where an experiment stores its rows."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments import report
from seq2slim.data.corpora import CorpusConfig


def files(folder):
    return CorpusConfig(
        "text", *((f"{folder}/{split}.en", f"{folder}/{split}.de") for split in ("train", "valid", "test"))
    )


@pytest.mark.parametrize(
    ("corpus", "title", "name"),
    [
        (CorpusConfig("bible-en-de"), "", "bible-en-de"),
        (CorpusConfig("tfds:x/y", languages=("de", "en")), "", "tfds:x/y-de-en"),
        (files("/data/multi30k"), "", "text multi30k/train.en"),
        (files("/data/multi30k"), "Multi30k", "Multi30k"),
    ],
)
def test_a_corpus_has_its_title_or_its_name_or_the_place_of_its_files(corpus, title, name):
    assert report.corpus_name(corpus, title) == name


def test_a_group_is_a_file_name():
    assert report.slug("Multi30k, recipe base (changed), 80%") == "Multi30k-recipe-base-changed-80"
    assert report.slug("/a/../b/") == "a-b"


@pytest.mark.parametrize(("publish", "smoke"), [(False, False), (False, True), (True, False)])
def test_rows_are_stored_in_the_runs_folder_unless_published(tmp_path, monkeypatch, publish, smoke):
    monkeypatch.chdir(tmp_path)
    options = SimpleNamespace(publish=publish, smoke=smoke)
    runner = SimpleNamespace(options=options, runs=tmp_path / "runs")
    row = {"identity": "a", "experiment": "e", "label": "x", "seed": 1}
    rows, _ = report.store(runner, "e", [row], {})
    assert rows == [row | ({"smoke": True} if smoke else {})]
    (written,) = tmp_path.rglob("rows.jsonl")
    assert written.relative_to(tmp_path) == Path("experiments" if publish else "runs") / "results" / "e" / "rows.jsonl"
