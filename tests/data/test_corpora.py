"""Corpora by name: a user's own files, the reverse toy, and what a damaged cache does."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2slim.data import corpora
from seq2slim.data.corpora import CorpusConfig, read_lines, write_lines
from seq2slim.data.corpora.prepared import prepare

SPLITS = ("train", "valid", "test")


def write_text(folder, **content):
    """Six files of one pair each; `train_en=b"..."` replaces one. Returns the config."""
    paths = {}
    for split in SPLITS:
        for side in ("en", "de"):
            path = folder / f"{split}.{side}"
            path.write_bytes(content.get(f"{split}_{side}", f"{split} {side}\n".encode()))
        paths[split] = (str(folder / f"{split}.en"), str(folder / f"{split}.de"))
    return CorpusConfig("text", **paths)


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


def test_hash_is_of_content_alone(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    first = corpora.load(write_text(tmp_path / "a"), tmp_path).sha256
    assert corpora.load(write_text(tmp_path / "b"), tmp_path).sha256 == first
    assert corpora.load(write_text(tmp_path / "c", test_de=b"other\n"), tmp_path).sha256 != first


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


def test_only_newline_ends_a_line(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("\ufeffa\u2028b\r\nc\x0bd\x0c\re\n\nlast\x85".encode())
    assert list(read_lines(path)) == ["a\u2028b", "c\x0bd\x0c\re", "", "last\x85"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\ufeff"))))
def test_lines_round_trip(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("lines") / "text"
    write_lines(path, lines)
    assert list(read_lines(path)) == lines


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


def test_hash_by_hand(tmp_path):
    corpus = corpora.load(write_text(tmp_path), tmp_path)
    digests = [hashlib.sha256(f"{split} {side}\n".encode()).hexdigest() for split in SPLITS for side in ("en", "de")]
    assert corpus.sha256 == hashlib.sha256("".join(digests).encode()).hexdigest()
