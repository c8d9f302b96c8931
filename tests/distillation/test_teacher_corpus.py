"""A teacher corpus from shards in any order; and whatever is done to it, the verifier finds it."""

import json
import os
import re
import resource

import pytest

from seq2slim.distillation.n_best import Hypothesis, from_line, read_n_best, to_line
from seq2slim.distillation.shards import shard_path
from seq2slim.distillation.teacher_corpus import (
    MANIFEST,
    N_BEST,
    TARGET,
    file_facts,
    read_manifest,
    write_corpus,
    write_shard,
)
from seq2slim.distillation.verify import verify

SOURCES = ["one", "two", "", "four", "five", "six"]  # line 2 is not decoded
TEACHERS = ["a1", "b2"]


def said(line):
    """The teacher's two hypotheses of a line; its best one of line 4 is empty, that of line 5 was cut."""
    text = "" if line == 4 else f"says {SOURCES[line]} ||| x"
    first = Hypothesis(line, text, -1.0 - line / 8, -0.5, 3, line == 5)
    return [first, first._replace(text="or", log_prob=-9.0 - line, score=-3.0)]


def write(folder, orders=((5, 0, 3), (4, 1))):
    shards = folder / "shards"
    shards.mkdir(parents=True)
    for index, lines in enumerate(orders):
        write_shard(shard_path(shards, index), map(said, lines), SOURCES)
    return write_corpus(folder, shards, len(orders), SOURCES, {"teachers": TEACHERS, "beam": 2})


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    assert verify(tmp_path, SOURCES, TEACHERS, decode) == []
    return tmp_path


def decode(lines):
    return {line: said(line) for line in lines}


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


def changed(path, change):
    lines = path.read_text().split("\n")[:-1]
    path.write_text("".join(f"{line}\n" for line in change(lines)))


def swap(i, j):
    def change(lines):
        lines[i], lines[j] = lines[j], lines[i]
        return lines

    return change


def swap_texts(lines):
    """The hypotheses of two lines under each other's number, order and numbers intact."""
    own = [from_line(line) for line in lines]
    a, b = own[0], own[2]
    own[0], own[2] = (b[0]._replace(line=a[0].line), b[1]), (a[0]._replace(line=b[0].line), a[1])
    return [re.sub("check= .{8}", f"check= {check}", to_line(hypothesis, "")) for hypothesis, check in own]


DAMAGES = {
    "a removed hypothesis": (
        N_BEST,
        lambda lines: lines[:1] + lines[2:],
        "hypotheses are 9, where teacher.json counts 10",
    ),
    "a removed line": (N_BEST, lambda lines: lines[2:], "decoded are 4, where .* counts 5"),
    "swapped lines": (N_BEST, swap(0, 2), "source line 0 comes after 1"),
    "swapped texts": (N_BEST, swap_texts, r"n_best.txt, line 3: this is not what the teacher said to source line 1"),
    "a word changed": (N_BEST, lambda lines: [lines[0].replace("says", "said"), *lines[1:]], "source line 0"),
    "no hypothesis": (N_BEST, lambda lines: ["x", *lines[1:]], "line 1: not a hypothesis"),
    "a line too far": (N_BEST, lambda lines: [*lines, lines[-1].replace("5", "77", 1)], "source line 77"),
    "a removed target": (TARGET, lambda lines: lines[:-1], "has 5 lines for 6"),
    "swapped targets": (TARGET, swap(0, 1), "target.txt, line 1 is not the best"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("resealed", [False, True])
def test_damage_is_found(folder, damage, resealed):
    """Also where the manifest's checksums were made to fit."""
    name, change, complaint = DAMAGES[damage]
    changed(folder / name, change)
    if resealed:
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["files"] = {name: file_facts(folder / name) for name in (N_BEST, TARGET)}
        (folder / MANIFEST).write_text(json.dumps(manifest))
    found = verify(folder, SOURCES)
    assert any(re.search(complaint, line) for line in found), found
    assert any("has changed" in line for line in found) != resealed


@pytest.mark.parametrize("name", [N_BEST, TARGET])
@pytest.mark.parametrize("resealed", [False, True])
def test_a_byte_that_is_no_text_is_found_and_nothing_decoded(folder, name, resealed):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content.replace(b"says four", b"says \xffour"))
    if resealed:
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["files"][name] = file_facts(folder / name)
        (folder / MANIFEST).write_text(json.dumps(manifest))
    found = verify(folder, SOURCES, TEACHERS, lambda lines: pytest.fail("decoded a damaged corpus"))
    assert re.search(rf"damaged: .*{name}.*line \d+", found[-1]), found


def test_a_wrong_teacher_is_found(folder):
    (complaint,) = verify(folder, SOURCES, ["a1"])
    assert "not from ['a1']" in complaint

    def other(lines):
        return {line: [own._replace(log_prob=own.log_prob - 0.01) for own in said(line)] for line in lines}

    (complaint,) = verify(folder, SOURCES, TEACHERS, other, sample=2)
    assert "2 of 2 lines come out otherwise, the first is source line 0" in complaint


def test_other_sources_are_found(folder):
    assert any("source line 1" in line for line in verify(folder, ["one", "zwei", *SOURCES[2:]]))
    assert any("for 7 source lines" in line for line in verify(folder, [*SOURCES, "more"]))


def test_an_unfinished_corpus_is_none(folder):
    (folder / MANIFEST).unlink()
    assert "no finished teacher corpus" in verify(folder, SOURCES)[0]
    (folder / MANIFEST).write_text('{"format": "other"}')
    assert "'other'" in verify(folder, SOURCES)[0]
