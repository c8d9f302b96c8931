"""The verifier finds every kind of damage to a teacher corpus."""

import json
import re

import pytest

from seq2slim.distillation.n_best import from_line, to_line
from seq2slim.distillation.teacher_corpus import (
    MANIFEST,
    N_BEST,
    TARGET,
    file_facts,
)
from seq2slim.distillation.verify import verify
from tests.support.teacher_corpora import SOURCES, TEACHERS, said, write


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    assert verify(tmp_path, SOURCES, TEACHERS, decode) == []
    return tmp_path


def decode(lines):
    return {line: said(line) for line in lines}


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
        "9 hypotheses, but teacher.json counts 10",
    ),
    "a removed line": (N_BEST, lambda lines: lines[2:], "4 decoded, but .* counts 5"),
    "swapped lines": (N_BEST, swap(0, 2), "source line 0 comes after 1"),
    "swapped texts": (N_BEST, swap_texts, "line 3: this is not the teacher's hypothesis for source line 1"),
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
    assert "not a finished teacher corpus" in verify(folder, SOURCES)[0]
    (folder / MANIFEST).write_text('{"format": "other"}')
    assert "'other'" in verify(folder, SOURCES)[0]
