"""Options: the nearest name of an unknown one, and help pages that fit a screen."""

import contextlib

import pytest

from seq2slim import cli
from seq2slim.cli.experiments import find_experiments
from seq2slim.cli.options import SCREEN
from seq2slim.cli.program import COMMANDS


@pytest.mark.parametrize(
    ("typed", "nearest"), [("--epoch", "--epochs"), ("--inner.learnin-rate", "--inner.learning-rate")]
)
def test_a_mistyped_option_is_answered_with_the_nearest(project, capsys, typed, nearest):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["run", "toy", typed, "3"])
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert f"Unrecognized options: {typed}" in error
    assert f"{nearest} " in error


@pytest.mark.parametrize(
    "words", [*([command] for command in COMMANDS), *(["run", name] for name in find_experiments())]
)
def test_help_fits_a_screen(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with contextlib.suppress(SystemExit):
        assert cli.main([*words, "--help"]) == 0
    page = capsys.readouterr().out.splitlines()
    assert page[0].startswith(f"usage: python -m seq2slim {words[0]}")
    assert len(page) <= SCREEN
    assert not any("None" in line for line in page)
    if words[0] != "run":  # commands in an experiment's own docstring are shown as they are
        assert max(map(len, page)) <= 80


def test_all_help_shows_the_groups(capsys):
    for asked, shown in (("--help", False), ("--help-all", True)):
        with pytest.raises(SystemExit):
            cli.main(["train", "--recipe", "small", asked])
        page = capsys.readouterr().out
        assert ("--training.optimizer.learning-rate" in page) == shown
        assert "--recipe" in page
        assert "--training.*" in page or shown
