"""Token ids on disk against the ids that the vocabulary gives for each line."""

import json

import numpy as np
import pytest

from seq2slim.data import corpora, tokenised, tokenising
from seq2slim.data.corpora import CorpusConfig, read_lines
from seq2slim.data.tokenised import TokenisedCorpus
from seq2slim.data.tokenising import tokenise
from seq2slim.data.vocabulary import VocabularyConfig, train_vocabularies

TRAIN = [("a b", "x"), ("", "x y"), ("a b c d e", "x"), ("b", " "), ("b", "x y x y x"), ("c a", "y z x"), ("d", "x")]
VALID = [("a", "x"), ("", "y"), ("b c", ""), ("a " * 30, "x " * 30)]
TEST = [("q", "x x")]


@pytest.fixture
def corpus(tmp_path):
    paths = {}
    for split, pairs in {"train": TRAIN, "valid": VALID, "test": TEST}.items():
        for side, lines in zip(("en", "de"), zip(*pairs)):
            corpora.write_lines(tmp_path / f"{split}.{side}", lines)
        paths[split] = (str(tmp_path / f"{split}.en"), str(tmp_path / f"{split}.de"))
    return corpora.load(CorpusConfig("text", **paths), tmp_path)


@pytest.fixture
def vocabularies(corpus):
    return train_vocabularies(*map(read_lines, corpus.splits["train"]), VocabularyConfig("words", 100))


def sentences(side):
    return [side[index].tolist() for index in range(len(side))]


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_kept_cut_and_dropped(corpus, vocabularies, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(tokenising, "_CHUNK", chunk)
    for module in (tokenised, tokenising):
        monkeypatch.setattr(module, "LONGEST", 20)
    made = tokenise(corpus, *vocabularies, tmp_path / "ids", max_length=4)
    train = made["train"]
    kept = [0, 5, 6]
    assert train.lines.tolist() == kept
    assert sentences(train.source) == [vocabularies[0].encode(TRAIN[line][0]) for line in kept]
    assert sentences(train.target) == [vocabularies[1].encode(TRAIN[line][1]) for line in kept]
    assert train.lengths.tolist() == [[2, 1], [2, 3], [1, 1]]
    assert (train.counts["pairs"], train.counts["empty"], train.counts["too_long"]) == (3, 2, 2)
    assert (train.counts["source_tokens"], train.counts["target_tokens"]) == (5, 5)
    valid = made["valid"]
    assert valid.lines.tolist() == [0, 1, 2, 3]
    assert sentences(valid.source)[1] == []
    assert sentences(valid.target)[2] == []
    assert valid.lengths[3].tolist() == [20, 20]
    assert (valid.counts["empty"], valid.counts["cut"]) == (2, 1)
    assert made["test"].counts["source_unknown"] == 1
    assert made.dropped == (
        "train: 3 pairs, 2 empty and 2 too long dropped; valid: 4 pairs, 2 empty kept, 1 cut to 20 tokens; "
        "test: 1 pairs"
    )


def test_arrays_are_memory_mapped_and_typed(corpus, vocabularies, tmp_path):
    made = tokenise(corpus, *vocabularies, tmp_path / "ids")
    for split in made.splits.values():
        for side in (split.source, split.target):
            assert isinstance(side.ids, np.memmap)
            assert (side.ids.dtype, side.offsets.dtype, split.lines.dtype) == (np.int32, np.int64, np.int64)


def test_reused_only_for_the_same_text_and_options(corpus, vocabularies, tmp_path, monkeypatch):
    folder = tmp_path / "ids"
    tokenise(corpus, *vocabularies, folder, 4)
    written = folder.stat().st_ino
    tokenise(corpus, *vocabularies, folder, 4)
    assert folder.stat().st_ino == written
    assert len(tokenise(corpus, *vocabularies, folder, 5)["train"]) == 5
    assert len(tokenise(corpus, *vocabularies[::-1], folder, 5)["train"]) == 5
    assert json.loads((folder / "manifest.json").read_text())["identity"]["max_length"] == 5
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_damaged_arrays_are_refused_by_load_and_made_anew_by_tokenise(corpus, vocabularies, tmp_path):
    folder = tmp_path / "ids"
    made = tokenise(corpus, *vocabularies, folder)
    wanted = sentences(made["train"].source)
    victim = folder / "train.source.ids.npy"
    victim.write_bytes(victim.read_bytes()[:-8])
    with pytest.raises(ValueError):
        TokenisedCorpus.load(folder)
    assert sentences(tokenise(corpus, *vocabularies, folder)["train"].source) == wanted
    np.save(folder / "train.source.ids.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError):
        TokenisedCorpus.load(folder)


def test_one_flipped_bit_is_found(corpus, vocabularies, tmp_path):
    folder = tmp_path / "ids"
    tokenise(corpus, *vocabularies, folder)
    for victim in sorted(folder.glob("*.npy")):
        whole = victim.read_bytes()
        victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(ValueError, match=rf"{victim.name} has changed since it was written"):
            TokenisedCorpus.load(folder)
        victim.write_bytes(whole)
    TokenisedCorpus.load(folder)
    for manifest in ("[]", "{}", '{"counts": {}, "sha256": []}'):
        (folder / "manifest.json").write_text(manifest)
        with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
            TokenisedCorpus.load(folder)


def test_nothing_left_to_train_on(corpus, vocabularies, tmp_path):
    with pytest.raises(ValueError, match=r"no pair is left to train on .*2 empty and 5 too long .*max_length=0"):
        tokenise(corpus, *vocabularies, tmp_path / "ids", max_length=0)
    assert not (tmp_path / "ids").exists()


def test_text_that_changed_under_us_leaves_no_half_made_ids(corpus, vocabularies, tmp_path):
    with open(corpus.splits["valid"][0], "ab") as file:
        file.write(b"one more\n")
    with pytest.raises(ValueError):
        tokenise(corpus, *vocabularies, tmp_path / "ids")
    assert not (tmp_path / "ids").exists()
