"""Parts of long work: cut, announced, whole or not there."""

import pytest

from seq2slim.distillation.shards import grouped, missing_shards, shard_path, split_evenly, write_whole


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


def test_a_shard_is_whole_or_not_there(tmp_path):
    def half(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(shard_path(tmp_path, 0), half)
    write_whole(shard_path(tmp_path, 1), lambda file: file.write(b"whole"))
    assert missing_shards(tmp_path, 3) == [0, 2]
    write_whole(shard_path(tmp_path, 0), lambda file: file.write(b"new"))
    assert shard_path(tmp_path, 0).read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shard-000000", "shard-000001"]
