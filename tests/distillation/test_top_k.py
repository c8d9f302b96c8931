"""The top-k store returns the words of each line, in whatever order the shards were written."""

import numpy as np
import pytest

from seq2slim.data.batching import Batch
from seq2slim.distillation.shards import shard_path
from seq2slim.distillation.top_k import TopKStore, positions, write_shard, write_store

K = 2
LENGTHS, LINES = np.array([2, 0, 3]), np.array([1, 4, 5])  # three pairs, of lines 1, 4 and 5


def words_of(row):
    """int32[positions, K]: the words stored for a pair."""
    return 10 * row + np.arange((LENGTHS[row] + 1) * K, dtype=np.int32).reshape(-1, K)


@pytest.fixture
def folder(tmp_path):
    for index, rows in enumerate(([2], [1, 0])):
        words = np.concatenate([words_of(row) for row in rows])
        write_shard(shard_path(tmp_path, index), np.array(rows), words, -words / 7)
    write_store(tmp_path, tmp_path, 2, LENGTHS, LINES, K)
    return tmp_path


def batch(ids, lengths, steps=5):
    target = np.zeros((len(ids), steps), np.int32)
    for row, length in enumerate(lengths):
        target[row, :length] = 9
    return Batch(np.zeros((len(ids), 1), np.int32), target, target, np.array(ids, np.int32))


def test_a_batch_gets_its_lines(folder):
    store = TopKStore(folder)
    assert store.k == K
    found = store.of(batch([5, -1, 1], [4, 0, 3]))
    assert found.words.shape == found.log_probs.shape == (5, 3, K)
    for column, row in ((0, 2), (2, 0)):
        length = LENGTHS[row] + 1
        np.testing.assert_array_equal(found.words[:length, column], words_of(row))
        np.testing.assert_array_equal(found.log_probs[:length, column], np.float32(-words_of(row) / 7))
        assert (found.words[length:, column] == np.arange(K)).all()
    assert (found.log_probs[:, 1] == 0).all()


@pytest.mark.parametrize(("line", "length"), [(1, 2), (0, 3), (99, 1), (4, 2)])
def test_a_line_that_is_not_there_or_has_another_length_is_refused(folder, line, length):
    with pytest.raises(ValueError, match=f"line {line} has {length} target positions"):
        TopKStore(folder).of(batch([line], [length]))


def test_positions_count_eos():
    np.testing.assert_array_equal(positions(LENGTHS), [0, 3, 4, 8])


def test_a_missing_shard_and_arrays_that_do_not_fit_are_refused(folder):
    with pytest.raises(ValueError, match="4 target positions are in no shard"):
        write_store(folder, folder, 1, LENGTHS, LINES, K)
    np.save(folder / "lines.npy", LINES[:2])
    with pytest.raises(ValueError, match="do not belong together"):
        TopKStore(folder)
