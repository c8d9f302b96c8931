"""The reverse toy: each target is its source read backwards."""

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig, read_lines

SPLITS = ("train", "valid", "test")


def test_reverse_is_what_it_says(tmp_path):
    corpus = corpora.load(CorpusConfig("reverse"), tmp_path)
    pairs = {split: list(zip(*map(read_lines, corpus.splits[split]))) for split in SPLITS}
    assert len(pairs["train"]) >= 2000
    assert len(pairs["valid"]) >= 100
    assert len(pairs["test"]) >= 100
    everything = [pair for split in SPLITS for pair in pairs[split]]
    assert all(source.split()[::-1] == target.split() for source, target in everything)
    assert len({source for source, _ in everything}) == len(everything)
    again = corpora.load(CorpusConfig("reverse"), tmp_path / "elsewhere")
    assert again.sha256 == corpus.sha256
