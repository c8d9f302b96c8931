"""Word vocabularies hold the most frequent words."""

import collections

from hypothesis import given
from hypothesis import strategies as st

from seq2slim.data.vocabulary import Vocabulary, VocabularyConfig
from seq2slim.special_ids import UNK


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.integers(5, 12))
def test_words_are_the_most_frequent_ties_by_first_seen(words, size):
    vocabulary = Vocabulary.train([" ".join(words)], VocabularyConfig("words", size))
    counts = collections.Counter(words)
    wanted = sorted(counts, key=lambda word: (-counts[word], words.index(word)))[: size - 4]
    assert [vocabulary.token(index) for index in range(4, len(vocabulary))] == wanted
    assert vocabulary.encode("a zz") == [4 + wanted.index("a") if "a" in wanted else UNK, UNK]
