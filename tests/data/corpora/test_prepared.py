"""Prepared text is rebuilt when damaged, built once by many readers, and never left half written."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig, read_lines
from seq2slim.data.corpora.prepared import prepare


@pytest.mark.parametrize("damage", ["flip", "remove", "manifest", "version"])
def test_damaged_cache_is_said_and_built_again(tmp_path, damage):
    corpus = corpora.load(CorpusConfig("reverse"), tmp_path)
    victim = corpus.splits["valid"][0]
    manifest = tmp_path / "reverse" / "manifest.json"
    whole = victim.read_bytes()
    if damage == "flip":
        victim.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    elif damage == "remove":
        victim.unlink()
    elif damage == "manifest":
        manifest.write_text("{")
    else:
        manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 0'))
    said = []
    again = corpora.load(CorpusConfig("reverse"), tmp_path, said.append)
    assert again == corpus
    assert victim.read_bytes() == whole
    assert len(said) == 1
    assert "building it again" in said[0]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".reverse.lock", "reverse"]


def test_many_at_once_build_it_one_time(tmp_path):
    said = []

    def load(_):
        return corpora.load(CorpusConfig("reverse"), tmp_path, said.append)

    corpus = load(0)
    corpus.splits["train"][0].write_bytes(b"damaged")
    with ThreadPoolExecutor(8) as pool:
        assert all(again == corpus for again in pool.map(load, range(8)))
    assert sum("building it again" in line for line in said) == 1


def test_pairs_are_drawn_as_they_are_written_and_a_failure_leaves_nothing(tmp_path):
    def pairs(fails):
        yield "a", "b"
        assert [path.name for path in tmp_path.iterdir() if path.is_dir()] != []  # the first is being written
        if fails:
            raise OSError("the source went away")
        yield "c", "d"

    def prepared(fails):
        splits = {split: pairs(fails) for split in ("train", "valid", "test")}
        return prepare("set", ("x", "y"), 1, tmp_path, lambda: splits, print)

    with pytest.raises(OSError, match="went away"):
        prepared(fails=True)
    assert [path.name for path in tmp_path.iterdir()] == [".set.lock"]
    assert list(read_lines(prepared(fails=False).splits["valid"][1])) == ["b", "d"]
