"""An edited corpus is another stage, and is refused within a run; a task may rewrite it."""

import os
from io import StringIO

import pytest
from rich.console import Console as RichConsole

from seq2slim.data.corpora import CorpusConfig, read_lines
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.inference import text_files
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import identity
from seq2slim.stages.text import Text
from seq2slim.tasks import TASKS
from tests.support.full_disk import content
from tests.support.reversing import Reversing, text_of


def test_an_edited_corpus_is_another_stage_and_the_old_one_stays(tmp_path):
    lines = {"train": "a b\nb c\n", "valid": "c\n", "test": "a\n"}
    for split, text in lines.items():
        for side in ("x", "y"):
            (tmp_path / f"{split}.{side}").write_text(text)
    pairs = ((str(tmp_path / f"{split}.x"), str(tmp_path / f"{split}.y")) for split in lines)
    config = CorpusConfig("text", *pairs)
    console = Console(RichConsole(file=StringIO(), width=100))

    def run():
        """In a notebook, where a cell makes the stage again."""
        stage = Text(config, VocabularyConfig("words", 10))
        runner = Runner(tmp_path / "runs", console)
        (planned,) = runner.plan(stage, show=False)
        (run_dir,) = runner.run(stage)
        return planned.state, run_dir, runner.result(stage)

    state, first, result = run()
    assert (state, result["train"]["source_tokens"]) == ("will run", 4)
    before = content(first)
    assert run()[:2] == ("cached", first)
    (tmp_path / "train.x").write_text("a b\nb c c\n")
    state, second, result = run()
    assert (state, result["train"]["source_tokens"]) == ("will run", 5)
    assert second != first
    assert content(first) == before
    os.utime(tmp_path / "train.x")
    assert run()[:2] == ("cached", second)
    (tmp_path / "train.x").write_text(lines["train"])
    assert run()[:2] == ("cached", first)


def test_a_corpus_edited_in_a_run_is_refused(tmp_path):
    for split in ("train", "valid", "test"):
        for side in ("x", "y"):
            (tmp_path / f"{split}.{side}").write_text("a b\n")
    pairs = ((str(tmp_path / f"{split}.x"), str(tmp_path / f"{split}.y")) for split in ("train", "valid", "test"))
    stage = Text(CorpusConfig("text", *pairs), VocabularyConfig("words", 10))
    runner = Runner(tmp_path / "runs", Console(RichConsole(file=StringIO(), width=100)))
    own = identity(stage)
    (tmp_path / "valid.y").write_text("c d\n")
    with pytest.raises(ValueError, match="has changed since"):
        runner.run(stage)
    assert not runner.is_finished(stage)
    with pytest.raises(ValueError, match="has changed since"):
        stage.lines("valid", 0)
    assert identity(stage) == own  # within a run it is what it was
    again = Text(stage.corpus, stage.vocabulary)
    assert identity(again) != own
    Runner(runner.runs, runner.console).run(again)


@pytest.fixture
def reversing(tmp_path, monkeypatch):
    """A text of the task `reversing`."""
    monkeypatch.setitem(TASKS, Reversing.name, Reversing())
    return text_of(tmp_path)


def test_a_task_makes_the_pairs_that_are_tokenised_and_read(reversing, tmp_path):
    runner = Runner(tmp_path / "runs", Console(RichConsole(file=StringIO(), width=100)))
    (run_dir,) = runner.run(reversing)
    corpus, vocabularies = text_files.tokenised(run_dir), text_files.vocabularies(run_dir)
    for split, (path, _) in reversing.loaded().splits.items():
        expected = [line.lower().split() for line in read_lines(path)]
        assert reversing.lines(split, 0) == [" ".join(words) for words in expected]
        assert reversing.lines(split, 1) == [" ".join(words[::-1]) for words in expected]
        for side, own in enumerate((corpus[split].source, corpus[split].target)):
            decoded = [vocabularies[side].decode(own[row]) for row in range(len(expected))]
            assert decoded == reversing.lines(split, side)
    assert not list(run_dir.rglob("*.source"))  # the copies are gone


def test_lines_that_no_task_rewrites_are_read_where_they_are(reversing):
    plain = Text(reversing.corpus)
    assert plain.prepared(context=None) is plain.loaded()  # without any room for a copy
    assert plain.lines("test", 1) == list(map(str, range(8)))
    assert plain.describe().startswith("text, ")
    assert reversing.describe().startswith("reversing of text, ")


@pytest.mark.parametrize("made", ["a\nb", "a\r"])
def test_a_task_makes_one_line_of_each(reversing, monkeypatch, made):
    monkeypatch.setattr(Reversing, "pair", lambda *_: ("a", made))
    with pytest.raises(ValueError, match="each must be one line"):
        reversing.lines("train", 0)
