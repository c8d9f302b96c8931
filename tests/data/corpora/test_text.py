"""The user's own text files: where they are, their languages, and the errors that name file and line."""

import pytest

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig
from tests.support.parallel_text import write_text


def test_text_points_at_the_users_own_files(tmp_path):
    config = write_text(tmp_path, train_en=b"a b\nc\n", train_de=b"d\ne f\n")
    corpus = corpora.load(config, tmp_path / "cache")
    assert (corpus.name, corpus.source_language, corpus.target_language) == ("text", "en", "de")
    assert corpus.splits["train"] == (tmp_path / "train.en", tmp_path / "train.de")
    assert not (tmp_path / "cache").exists()


def test_languages_without_suffixes(tmp_path):
    config = write_text(tmp_path)
    for side in ("en", "de"):
        (tmp_path / f"{side}.txt").write_text("a\n")
    config = CorpusConfig("text", (str(tmp_path / "en.txt"), str(tmp_path / "de.txt")), config.valid, config.test)
    corpus = corpora.load(config, tmp_path)
    assert (corpus.source_language, corpus.target_language) == ("source", "target")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"train_en": b"a\nb\nc\n"},
            r"train\.en has 3 lines and .*train\.de has 1: .*train\.en, line 2 has no partner",
        ),
        ({"valid_de": b"a\nb"}, r"valid\.en has 1 lines and .*valid\.de has 2: .*valid\.de, line 2 has no partner"),
        ({"test_en": b"ok\nb\xe9te\n"}, r"test\.en, line 2: not UTF-8 \(byte 0xe9 at column 2\)"),
        ({"train_de": b""}, r"train\.de: the corpus is empty \(0 lines, no words\)"),
        ({"train_de": b"\n \n\r\n"}, r"train\.de: the corpus is empty \(3 lines, no words\)"),
    ],
)
def test_bad_text_names_file_and_line(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        corpora.load(write_text(tmp_path, **content), tmp_path)


def test_missing_files(tmp_path):
    config = write_text(tmp_path)

    def load(path):
        return corpora.load(CorpusConfig("text", (path, config.train[1]), config.valid, config.test), tmp_path)

    with pytest.raises(FileNotFoundError, match=r"train: no file .*trian\.en: did you mean .*train\.en\?"):
        load(str(tmp_path / "trian.en"))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        load(str(tmp_path / "nowhere" / "train.en"))
    with pytest.raises(FileNotFoundError, match="is a folder"):
        load(str(tmp_path))
