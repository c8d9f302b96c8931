"""A text file translated by a teacher: pairs of lines, interrupted and resumed, and verified."""

from dataclasses import replace

import pytest

from seq2slim.inference.distilled_text import distil_corpus, verify_corpus
from seq2slim.runs.runner import Context
from tests.support.distilling import SEARCH


def test_the_corpus_command_writes_pairs_that_any_toolkit_can_read(runner, teacher, tmp_path):
    source = tmp_path / "some.source"
    source.write_text("a b\n\nc d a\n" + "a " * 60 + "\nb\n")
    arguments = [runner.run_dir(teacher)], source, tmp_path / "out", SEARCH, Context(runner, teacher)
    counts = distil_corpus(*arguments)
    assert (counts["lines"], counts["decoded"]) == (5, 3)
    columns = [(tmp_path / "out" / f"pairs.{name}").read_text().splitlines() for name in ("lines", "source", "target")]
    numbers = [int(number) for number in columns[0]]
    assert set(numbers) <= {1, 3, 5}
    assert columns[1] == [source.read_text().splitlines()[number - 1] for number in numbers]
    assert all(target.strip() for target in columns[2])
    assert verify_corpus(*arguments) == []
    assert not (tmp_path / "out" / "shards").exists()
    assert distil_corpus(*arguments)["decoded"] == 3  # finished already
    for other in (replace(SEARCH, beam=4), replace(SEARCH, batch_size=8), replace(SEARCH, limits="paper")):
        changed = *arguments[:3], other, arguments[4]
        with pytest.raises(ValueError, match="holds another corpus: its"):
            distil_corpus(*changed)
        assert len(verify_corpus(*changed)) == 1
    assert verify_corpus(*arguments, max_length=80) == ["its max length is 50, not 80"]


def test_a_kill_before_the_pairs_costs_nothing_and_changed_ones_are_found(runner, teacher, tmp_path, monkeypatch):
    source, out = tmp_path / "some.source", tmp_path / "out"
    source.write_text("a b\nc d a\nb\n")
    arguments = [runner.run_dir(teacher)], source, out, SEARCH, Context(runner, teacher)
    with monkeypatch.context() as patch:
        patch.setattr("seq2slim.inference.distilled_text._write_pairs", lambda *_: _raise(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            distil_corpus(*arguments)
    assert (out / "shards").exists()
    assert not (out / "pairs.target").exists()
    distil_corpus(*arguments)
    assert not (out / "shards").exists()
    whole = {name: (out / f"pairs.{name}").read_bytes() for name in ("lines", "source", "target")}
    assert whole["source"] == source.read_bytes()
    for name, content in whole.items():
        (out / f"pairs.{name}").write_bytes(content[1:])
        assert verify_corpus(*arguments) == [f"pairs.{name} does not match target.txt and the source"]
        distil_corpus(*arguments)
        assert verify_corpus(*arguments) == []
    (out / "target.txt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"target\.txt has changed since it was written"):
        distil_corpus(*arguments)


def _raise(error):
    raise error
