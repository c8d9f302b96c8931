"""Experiments are listed with their claims."""

from seq2slim import cli
from seq2slim.cli.experiments import Experiment, find_experiments


def test_experiments_are_listed_with_their_claims(project, capsys):
    assert cli.main(["experiments"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "broken  (cannot be read: invalid syntax, line 1)",
        "part    Shares the options of the toy.",
        "plain   Computes every row.",
        "toy     Toys can be counted.",
    ]


NAMESAKE = """\"\"\"Another toy.\"\"\"
class Config: ...
def main(config, runner): ...
"""


def test_experiments_are_found_in_folders_but_not_in_hidden_ones(project):
    for folder in ("more", ".ipynb_checkpoints"):
        (project / "experiments" / folder).mkdir()
        (project / "experiments" / folder / f"other{len(folder)}.py").write_text(NAMESAKE)
    found = find_experiments()
    assert found["other4"] == Experiment("experiments.more.other4", "Another toy.")
    assert set(found) == {"broken", "part", "plain", "toy", "other4"}


def test_two_experiments_of_one_name_are_refused(project, capsys):
    (project / "experiments" / "more").mkdir()
    (project / "experiments" / "more" / "toy.py").write_text(NAMESAKE)
    assert cli.main(["run", "plain"]) == 2
    message = capsys.readouterr().err
    assert "two experiments are called toy: " in message
    assert {name for name in ("experiments.toy", "experiments.more.toy") if name in message} == {
        "experiments.toy",
        "experiments.more.toy",
    }


def test_a_broken_file_hides_no_experiment_of_its_name(project):
    for folder in ("a", "z"):
        (project / "experiments" / folder).mkdir()
        (project / "experiments" / folder / "toy.py").write_text("def (")
    assert find_experiments()["toy"] == Experiment("experiments.toy", "Toys can be counted.")
