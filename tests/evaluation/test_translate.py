"""Text in line order from batches in any order, with and without unknown words, over a real vocabulary and search."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.data.batching import Batch
from seq2slim.data.vocabulary import Vocabulary, VocabularyConfig
from seq2slim.decoding.beam import beam_search
from seq2slim.evaluation.translate import UnknownWords, search_lines, translate
from seq2slim.special_ids import BOS, EOS, PAD, UNK

LINES = ["a b c", "", "d a", "b e b b", "c"]  # "e" is outside the vocabulary
WIDTH = 6


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary.train(["a b c d"], VocabularyConfig(kind="words", size=8))


def batch_of(vocabulary, lines, *, backwards, rows=4):
    source = np.full((rows, WIDTH), PAD, np.int32)
    ids = np.full(rows, -1, np.int32)
    for row, line in enumerate(lines):
        tokens = vocabulary.encode(LINES[line])
        if tokens and backwards:
            source[row, -len(tokens) :] = tokens[::-1]
        else:
            source[row, : len(tokens)] = tokens
        ids[row] = line
    empty = np.zeros((rows, 0), np.int32)
    return Batch(source, empty, empty, ids)


@functools.partial(jax.jit, static_argnames=("backwards", "beam"))
def copier(batch, *, backwards, beam=2):
    """A beam search that copies the source in order of the text: its whole probability, nearly, is on the next word."""
    source = jnp.asarray(batch.source)
    length = jnp.sum(source != PAD, axis=1)

    def step(position, token):
        read = WIDTH - 1 - position if backwards else position
        word = jnp.repeat(source, beam, axis=0)[jnp.arange(len(position)), jnp.clip(read, 0, WIDTH - 1)]
        word = jnp.where(position < jnp.repeat(length, beam), word, EOS)
        return 9.0 * (jnp.arange(8) == word[:, None]), position + 1, read

    start = jnp.zeros(len(source), jnp.int32)
    return beam_search(step, start, beam=beam, max_steps=WIDTH + 1, pad=PAD, bos=BOS, eos=EOS)


@pytest.mark.parametrize("backwards", [True, False])
def test_line_order_filling_rows_and_empty_lines(vocabulary, backwards):
    order = [[3, 0], [1, 4, 2]]
    batches = [batch_of(vocabulary, lines, backwards=backwards) for lines in order]

    def search(batch):
        return copier(batch, backwards=backwards)

    plain = translate(search, batches, vocabulary, len(LINES))
    assert plain == ["a b c", "", "d a", "b <unk> b b", "c"]
    copied = translate(search, batches, vocabulary, len(LINES), UnknownWords(LINES, vocabulary, backwards))
    assert copied == LINES
    words = UnknownWords(LINES, vocabulary, backwards, {"e": "E", "b": "never"})
    assert translate(search, batches, vocabulary, len(LINES), words)[3] == "b E b b"


def test_search_lines_gives_the_n_best_of_each_row(vocabulary):
    batches = [batch_of(vocabulary, lines, backwards=False) for lines in ([3, 0], [2])]
    found = list(search_lines(lambda batch: copier(batch, backwards=False), batches))
    assert [line for line, *_ in found] == [3, 0, 2]
    for line, source, result in found:
        assert source[source != PAD].tolist() == vocabulary.encode(LINES[line])
        assert result.tokens.shape == (2, WIDTH + 1)
        assert result.score[0] > result.score[1] > -np.inf
    assert UNK in found[0][2].tokens[0]
    assert list(search_lines(None, [])) == []


def test_refuses_lines_outside_twice_and_never(vocabulary):
    batch = batch_of(vocabulary, [0, 4], backwards=False)

    def search(batch):
        return copier(batch, backwards=False)

    with pytest.raises(ValueError, match="line 4 in a batch, but the split has 4"):
        translate(search, [batch], vocabulary, 4)
    with pytest.raises(ValueError, match="line 0 is in two batches"):
        translate(search, [batch, batch], vocabulary, 5)
    with pytest.raises(ValueError, match="3 of 5 lines are in no batch, the first is line 1"):
        translate(search, [batch], vocabulary, 5)


def test_refuses_a_line_without_hypothesis_unless_its_source_is_empty(vocabulary):
    """The result of a search with NaN parameters: no hypothesis for any line."""

    def search(batch):
        found = copier(batch, backwards=False)
        return found._replace(length=np.zeros_like(found.length), tokens=np.full_like(found.tokens, PAD))

    with pytest.raises(ValueError, match="no hypothesis for line 3: every score was NaN"):
        translate(search, [batch_of(vocabulary, [1, 3], backwards=False)], vocabulary, 5)
    empty = batch_of(vocabulary, [1], backwards=False)._replace(ids=np.int32([0, -1, -1, -1]))
    assert translate(search, [empty], vocabulary, 1) == [""]
