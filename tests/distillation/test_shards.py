"""Long work is cut into shards, each written as a whole or not at all."""

import pytest

from seq2slim.distillation.shards import grouped, missing_shards, shard_path, split_evenly
from seq2slim.files import write_atomically


def test_groups_take_what_they_announce_and_not_one_more():
    results = iter(range(10))
    assert list(grouped(results, [3, 0, 4])) == [[0, 1, 2], [], [3, 4, 5, 6]]
    assert next(results) == 7
    with pytest.raises(ValueError, match="5 results were announced and 2 came"):
        list(grouped(results, [5]))


def test_a_group_comes_as_soon_as_it_is_full():
    seen = []

    def results():
        for number in range(4):
            seen.append(number)
            yield number

    groups = grouped(results(), [2, 2])
    assert next(groups) == [0, 1]
    assert seen == [0, 1]


def test_split_evenly():
    assert split_evenly(list("abcde"), 2) == [["a", "b"], ["c", "d"], ["e"]]
    with pytest.raises(ValueError, match="at least 1"):
        split_evenly([1], 0)


def test_what_is_half_written_is_missing(tmp_path):
    write_atomically(shard_path(tmp_path, 1), b"whole")
    shard_path(tmp_path, 0).with_name(f".{shard_path(tmp_path, 0).name}.1.tmp").write_bytes(b"half")
    assert missing_shards(tmp_path, 3) == [0, 2]
