"""The built-in corpora as TensorFlow Datasets sets."""

import sys

import pytest

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig, read_lines
from tests.support.bible_wheel import write_wheel


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    return write_wheel(tmp_path, monkeypatch)


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
