"""A command takes its model from --run or from --model, and from one of them only."""

from pathlib import Path

import pytest

from seq2slim.cli.models import chosen
from seq2slim.errors import UserError


@pytest.mark.parametrize("run", [None, Path("x")])
def test_one_of_run_and_model_is_needed(run):
    with pytest.raises(UserError, match=r"^evaluate with which model.*not both"):
        chosen("evaluate", run, run)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"--model .*no\.slim: there is no such file"):
        chosen("translate", None, tmp_path / "no.slim")


def test_a_file_holds_the_model_of_its_run(toy, tmp_path):
    path = tmp_path / "model.slim"
    toy.type("export", toy.run_dirs["retrained"], "-o", path)
    lines = toy.lines("test", "letters")[:5]
    run, file = chosen("translate", toy.run_dirs["retrained"], None), chosen("translate", None, path)
    assert file.translate(lines, beam=1) == run.translate(lines, beam=1)
