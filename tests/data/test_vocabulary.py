"""Vocabularies: ids, determinism, round trips, files."""

import collections
import io
import json
import random
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer

from seq2slim.data.vocabulary import KINDS, Vocabulary, VocabularyConfig, train_vocabularies
from seq2slim.data.vocabulary.pieces import thin
from seq2slim.special_ids import BOS, EOS, PAD, UNK

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "seven", "wizards", "box"]
LINES = [" ".join(random.Random(seed).choices(WORDS, k=8)) for seed in range(300)]
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


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.integers(5, 12))
def test_words_are_the_most_frequent_ties_by_first_seen(words, size):
    vocabulary = Vocabulary.train([" ".join(words)], VocabularyConfig("words", size))
    counts = collections.Counter(words)
    wanted = sorted(counts, key=lambda word: (-counts[word], words.index(word)))[: size - 4]
    assert [vocabulary.token(index) for index in range(4, len(vocabulary))] == wanted
    assert vocabulary.encode("a zz") == [4 + wanted.index("a") if "a" in wanted else UNK, UNK]


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


def test_a_model_of_another_make_is_refused(tmp_path):
    """Well sealed, and either no SentencePiece model at all, or one with its own special pieces."""
    model = io.BytesIO()
    SentencePieceTrainer.train(sentence_iterator=iter(LINES), model_writer=model, vocab_size=60, hard_vocab_limit=False)
    for payload, complaint in ((b"noise", "cannot read its model"), (model.getvalue(), "are not <pad>, <unk>")):
        header = {
            "format": "seq2slim vocabulary 1",
            "kind": "unigram",
            "sha256": sha256(b"unigram\n" + payload).hexdigest(),
        }
        (tmp_path / "v").write_bytes(json.dumps(header).encode() + b"\n" + payload)
        with pytest.raises(ValueError, match=complaint):
            Vocabulary.load(tmp_path / "v")


def test_joint_is_one_vocabulary_of_both_sides():
    source, target = ["red green"] * 5, ["rot blau"] * 5
    one, same = train_vocabularies(source, target, VocabularyConfig("words", 20, joint=True))
    assert one is same
    assert UNK not in one.encode("red blau")
    left, right = train_vocabularies(source, target, VocabularyConfig("words", 20))
    assert left.encode("rot") == right.encode("red") == [UNK]


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


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_every_sign_of_an_alphabet_has_an_id_but_not_of_a_large_script(kind):
    rare = Vocabulary.train([*LINES * 30, "a § once"], VocabularyConfig(kind, 80))
    assert UNK not in rare.encode("a § once")
    # 600 ids cannot hold 2,000 signs; most of them stand in one line only.
    signs = [chr(0x4E00 + index) for index in range(2000)]
    lines = [" ".join(signs[:250])] * 1000 + [" ".join(signs)]
    large = Vocabulary.train(lines, VocabularyConfig(kind, 600))
    assert len(large) <= 600
    assert UNK not in large.encode(" ".join(signs[:250]))


def test_config_is_validated():
    with pytest.raises(ValueError, match="'unigrams': did you mean 'unigram'"):
        VocabularyConfig("unigrams")
    with pytest.raises(ValueError, match="size=4"):
        VocabularyConfig(size=4)


@given(st.integers(0, 500), st.integers(1, 40))
def test_thinned_evenly(count, most):
    kept = thin((str(index) for index in range(count)), most)
    stride = next(2**power for power in range(20) if -(-count // 2**power) <= most)
    assert kept == [str(index) for index in range(0, count, stride)]


def test_the_source_can_have_a_size_of_its_own():
    words = [" ".join(f"w{k}" for k in range(30))]
    source, target = train_vocabularies(words, words, VocabularyConfig("words", 10, source_size=20))
    assert (len(source), len(target)) == (20, 10)
    assert [source.token(k) for k in range(10)] == [target.token(k) for k in range(10)]
    with pytest.raises(ValueError, match="source_size=3"):
        VocabularyConfig(source_size=3)
    with pytest.raises(ValueError, match="joint"):
        VocabularyConfig(joint=True, source_size=20)
