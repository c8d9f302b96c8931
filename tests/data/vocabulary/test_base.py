"""All kinds of vocabulary: special ids, round trips, determinism, saved and damaged files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2slim.data.vocabulary import KINDS, Vocabulary, VocabularyConfig
from seq2slim.special_ids import BOS, EOS, PAD, UNK
from tests.support.sentences import LINES, WORDS

SPECIAL_TEXT = "<pad> <unk> <s> </s>"


@pytest.fixture(scope="module", params=KINDS)
def vocabulary(request):
    return Vocabulary.train(LINES, VocabularyConfig(request.param, 60))


def test_special_ids_and_bounds(vocabulary):
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert [vocabulary.token(index) for index in range(4)] == ["<pad>", "<unk>", "<s>", "</s>"]
    assert len({vocabulary.token(index) for index in range(len(vocabulary))}) == len(vocabulary) <= 60
    for outside in (-1, len(vocabulary)):
        with pytest.raises(IndexError, match="outside the vocabulary"):
            vocabulary.token(outside)
        with pytest.raises(IndexError):
            vocabulary.decode([outside])


@given(st.lists(st.sampled_from(WORDS)), st.sampled_from([" ", "  ", "\t", " \u2028 "]))
def test_known_words_round_trip(vocabulary, words, space):
    line = space.join(words)
    ids = vocabulary.encode(line)
    assert vocabulary.decode(ids) == " ".join(words)
    assert vocabulary.decode([BOS, *ids, EOS, 4, 4, PAD]) == " ".join(words)
    assert vocabulary.decode([BOS, *ids, PAD, PAD]) == " ".join(words)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_gives_ordinary_ids_and_aligned_tokens(vocabulary, line):
    ids = vocabulary.encode(line)
    assert all(index == UNK or 4 <= index < len(vocabulary) for index in ids)
    tokens = vocabulary.tokens(line)
    assert len(tokens) == len(ids)
    assert all(vocabulary.token(index) == token for index, token in zip(ids, tokens) if index != UNK)
    assert vocabulary.encode_many([line, "fox", line]) == [ids, vocabulary.encode("fox"), ids]


def test_tokens_keep_the_surface_of_unknown_words(vocabulary):
    assert UNK in vocabulary.encode("the Ω dog")
    assert vocabulary.join(vocabulary.tokens("the Ω dog")) == "the Ω dog"
    assert vocabulary.decode(vocabulary.encode("the Ω dog")) == "the <unk> dog"


@pytest.mark.parametrize("kind", KINDS)
def test_control_symbols_in_text_never_become_special_ids(kind):
    vocabulary = Vocabulary.train([f"{line} {SPECIAL_TEXT}" for line in LINES], VocabularyConfig(kind, 80))
    ids = vocabulary.encode(f"fox {SPECIAL_TEXT} dog")
    assert not {PAD, BOS, EOS} & set(ids)
    assert vocabulary.decode(ids).endswith("dog")


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_deterministic(kind):
    config = VocabularyConfig(kind, 50)
    assert Vocabulary.train(iter(LINES), config).sha256 == Vocabulary.train(LINES, config).sha256
    assert Vocabulary.train(LINES, config).sha256 != Vocabulary.train(LINES[:200], config).sha256


def test_saved_and_loaded(vocabulary, tmp_path):
    path = tmp_path / "vocabulary"
    vocabulary.save(path)
    again = Vocabulary.load(path)
    assert (again.kind, again.sha256, len(again)) == (vocabulary.kind, vocabulary.sha256, len(vocabulary))
    assert again.encode_many(LINES) == vocabulary.encode_many(LINES)
    assert [entry.name for entry in tmp_path.iterdir()] == ["vocabulary"]
    content = path.read_bytes()
    for damaged in (content[:-3], content[:-1] + bytes([content[-1] ^ 1]), content + b"x"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged"):
            Vocabulary.load(path)
    for other in (b"", b"word\n", b"{}\n", b"[]", b"\xff\xfe\n", b"[" * 100_000):
        path.write_bytes(other)
        with pytest.raises(ValueError, match="is no vocabulary file"):
            Vocabulary.load(path)
    path.write_bytes(content.replace(f'"kind": "{vocabulary.kind}"'.encode(), b'"kind": "glyphs"', 1))
    with pytest.raises(ValueError, match="of kind 'glyphs'; there are unigram, bpe, words"):
        Vocabulary.load(path)
    path.write_bytes(content.replace(f'"kind": "{vocabulary.kind}"'.encode(), b'"kind": ["words"]', 1))
    with pytest.raises(ValueError, match=r"of kind \['words'\]"):
        Vocabulary.load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_too_large_a_size_is_said(kind):
    said = []
    vocabulary = Vocabulary.train(LINES[:20], VocabularyConfig(kind, 5000), said.append)
    assert 10 < len(vocabulary) < 5000
    assert len(said) == 1
    assert str(len(vocabulary)) in said[0]
    assert "5000" in said[0]


def test_too_small_a_size_and_empty_text_are_errors():
    with pytest.raises(ValueError, match=r"size=10 is too small for this text: its characters alone need \d+ ids"):
        Vocabulary.train(LINES, VocabularyConfig("bpe", 10))
    for kind in KINDS:
        with pytest.raises(ValueError, match="no words"):
            Vocabulary.train(["", " \t"], VocabularyConfig(kind, 10))
