"""A teacher corpus is the same whatever the order of its shards."""

import os
import resource

import pytest

from seq2slim.distillation.n_best import Hypothesis, read_n_best
from seq2slim.distillation.shards import shard_path
from seq2slim.distillation.teacher_corpus import (
    MANIFEST,
    N_BEST,
    TARGET,
    read_manifest,
    write_corpus,
    write_shard,
)
from tests.support.teacher_corpora import TEACHERS, said, write


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    return tmp_path


def test_it_is_in_line_order_whatever_the_shards(tmp_path):
    one, other = (
        (tmp_path / "one", write(tmp_path / "one")),
        (tmp_path / "two", write(tmp_path / "two", ((0,), (5, 4), (3, 1)))),
    )
    assert one[1] == other[1]
    for name in (N_BEST, TARGET, MANIFEST):
        assert (one[0] / name).read_bytes() == (other[0] / name).read_bytes()
    assert list(read_n_best(one[0] / N_BEST)) == [(line, said(line)) for line in (0, 1, 3, 4, 5)]
    texts = [said(line)[0].text if line != 2 else "" for line in range(6)]
    assert (one[0] / TARGET).read_text() == "".join(f"{text}\n" for text in texts)


def test_more_shards_than_files_that_may_be_open(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 64 + len(os.listdir("/proc/self/fd"))), hard))
    try:
        (tmp_path / "shards").mkdir()
        sources = ["a"] * 100
        for line in reversed(range(100)):
            own = [Hypothesis(line, f"b {line}", -1.0, -0.5, 2, False)]
            write_shard(shard_path(tmp_path / "shards", 99 - line), [own], sources)
        write_corpus(tmp_path, tmp_path / "shards", 100, sources, {"teachers": TEACHERS})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (tmp_path / TARGET).read_text() == "".join(f"b {line}\n" for line in range(100))


def test_what_is_counted(folder):
    counts = read_manifest(folder)["counts"]
    assert counts == {"lines": 6, "decoded": 5, "dropped": 2, "empty": 1, "cut": 1, "hypotheses": 10}


def test_a_line_in_two_shards_is_refused(tmp_path):
    with pytest.raises(ValueError, match="line 1 was decoded twice"):
        write(tmp_path, ((0, 1), (1, 3)))
