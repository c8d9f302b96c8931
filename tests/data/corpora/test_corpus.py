"""The choice of a corpus is validated, and its hash depends on its content alone."""

import hashlib

import pytest

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig
from tests.support.parallel_text import SPLITS, write_text


def test_hash_is_of_content_alone(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    first = corpora.load(write_text(tmp_path / "a"), tmp_path).sha256
    assert corpora.load(write_text(tmp_path / "b"), tmp_path).sha256 == first
    assert corpora.load(write_text(tmp_path / "c", test_de=b"other\n"), tmp_path).sha256 != first


def test_config_is_validated():
    with pytest.raises(ValueError, match="unknown corpus 'bible-en-d': did you mean 'bible-en-de'"):
        CorpusConfig("bible-en-d")
    with pytest.raises(ValueError, match=r"did you mean 'tfds:ted_hrlr_translate/pt_to_en'.*, and tfds:NAME for a set"):
        CorpusConfig("tdfs:ted_hrlr_translate/pt_to_en")
    with pytest.raises(ValueError, match="did you mean 'strings-en-es'"):
        CorpusConfig("string-en-es")
    with pytest.raises(ValueError, match="'tfds:' needs the name of a set"):
        CorpusConfig("tfds:")
    with pytest.raises(
        ValueError, match=r"languages=\('de', 'en'\) goes with a corpus 'tfds:NAME', not with 'reverse'"
    ):
        CorpusConfig("reverse", languages=("de", "en"))
    with pytest.raises(ValueError, match="two different ones"):
        CorpusConfig("tfds:wmt14_translate/de-en", languages=("de", "de"))
    with pytest.raises(ValueError, match=r"needs valid=\(source path, target path\), got None"):
        CorpusConfig("text", train=("a", "b"))
    with pytest.raises(ValueError, match="goes with corpus name 'text'"):
        CorpusConfig("reverse", train=("a", "b"))
    assert hash(CorpusConfig()) == hash(CorpusConfig("bible-en-de"))


def test_hash_by_hand(tmp_path):
    corpus = corpora.load(write_text(tmp_path), tmp_path)
    digests = [hashlib.sha256(f"{split} {side}\n".encode()).hexdigest() for split in SPLITS for side in ("en", "de")]
    assert corpus.sha256 == hashlib.sha256("".join(digests).encode()).hexdigest()
