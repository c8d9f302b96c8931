"""The configuration is validated; source and target have a joint vocabulary, or one size each."""

import pytest

from seq2slim.data.vocabulary import VocabularyConfig, train_vocabularies
from seq2slim.special_ids import UNK


def test_joint_is_one_vocabulary_of_both_sides():
    source, target = ["red green"] * 5, ["rot blau"] * 5
    one, same = train_vocabularies(source, target, VocabularyConfig("words", 20, joint=True))
    assert one is same
    assert UNK not in one.encode("red blau")
    left, right = train_vocabularies(source, target, VocabularyConfig("words", 20))
    assert left.encode("rot") == right.encode("red") == [UNK]


def test_config_is_validated():
    with pytest.raises(ValueError, match="'unigrams': did you mean 'unigram'"):
        VocabularyConfig("unigrams")
    with pytest.raises(ValueError, match="size=4"):
        VocabularyConfig(size=4)


def test_the_source_can_have_a_size_of_its_own():
    words = [" ".join(f"w{k}" for k in range(30))]
    source, target = train_vocabularies(words, words, VocabularyConfig("words", 10, source_size=20))
    assert (len(source), len(target)) == (20, 10)
    assert [source.token(k) for k in range(10)] == [target.token(k) for k in range(10)]
    with pytest.raises(ValueError, match="source_size=3"):
        VocabularyConfig(source_size=3)
    with pytest.raises(ValueError, match="joint"):
        VocabularyConfig(joint=True, source_size=20)
