"""Relabelled text: same sources and vocabularies with a teacher's targets, which must be undamaged."""

import shutil

import numpy as np
import pytest

from seq2slim.distillation import teacher_corpus
from seq2slim.inference import text_files
from seq2slim.runs.runner import Context
from seq2slim.stages.decode import Decode
from seq2slim.stages.relabel import HeldOut, RelabelledText, Select
from seq2slim.tasks import TASKS
from tests.support.reversing import Reversing, text_of


def test_a_relabelled_text_keeps_line_numbers_and_vocabularies(runner, text, decoded, relabelled):
    plain, changed = (text_files.tokenised(runner.run_dir(stage)) for stage in (text, relabelled[0]))
    targets = (runner.run_dir(decoded) / teacher_corpus.TARGET).read_text().splitlines()
    vocabulary = text_files.vocabularies(runner.run_dir(relabelled[0]))[1]
    assert vocabulary.sha256 == text_files.vocabularies(runner.run_dir(text))[1].sha256
    assert set(changed["train"].lines) <= set(plain["train"].lines)
    for row, line in enumerate(changed["train"].lines):
        assert changed["train"].target[row].tolist() == vocabulary.encode(targets[line])
        own = list(plain["train"].lines).index(line)
        np.testing.assert_array_equal(changed["train"].source[row], plain["train"].source[own])
    for split in ("valid", "test"):
        np.testing.assert_array_equal(changed[split].target.ids, plain[split].target.ids)


def test_a_relabelled_text_has_the_sources_and_references_of_its_task(runner, tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, Reversing.name, Reversing())
    text = text_of(tmp_path)
    left = HeldOut(text, folds=2, fold=0)
    relabelled = RelabelledText(left)
    assert relabelled.task == left.task == text.task == "reversing"
    runner.run((relabelled, text))
    plain, changed = (text_files.tokenised(runner.run_dir(stage)) for stage in (text, relabelled))
    assert changed["train"].lines.tolist() == [1, 3, 5, 7]
    for split, rows in (("train", [1, 3, 5, 7]), ("valid", range(8)), ("test", range(8))):
        for side in ("source", "target"):
            own, whole = getattr(changed[split], side), getattr(plain[split], side)
            assert [own[row].tolist() for row in range(len(rows))] == [whole[row].tolist() for row in rows]
    assert relabelled.lines("test", 1) == text.lines("test", 1)


@pytest.mark.parametrize("damaged", [teacher_corpus.N_BEST, teacher_corpus.TARGET])
def test_a_damaged_teacher_corpus_is_not_learnt_from(runner, decoded, tmp_path, damaged):
    """However large it is: the mark of a finished stage vouches for small files alone."""
    run_dir = shutil.copytree(runner.run_dir(decoded), tmp_path / "decoded")
    path = run_dir / damaged
    path.write_bytes(path.read_bytes()[:-1])
    user = Select(decoded) if damaged == teacher_corpus.N_BEST else RelabelledText(decoded)
    with pytest.raises(ValueError, match=f"{damaged} has changed since it was written: remove"):
        user.run(tmp_path, _Elsewhere(Context(runner, user), run_dir))
    assert teacher_corpus.checked(runner.run_dir(decoded), damaged).exists()


class _Elsewhere:
    """A context in which the run directory of a Decode stage is another folder."""

    def __init__(self, context, run_dir):
        self._context, self._run_dir = context, run_dir

    def __getattr__(self, name):
        return getattr(self._context, name)

    def run_dir(self, stage):
        return self._run_dir if isinstance(stage, Decode) else self._context.run_dir(stage)
