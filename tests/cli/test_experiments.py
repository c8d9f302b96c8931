"""Experiments are listed with their claims."""

from seq2slim import cli


def test_experiments_are_listed_with_their_claims(project, capsys):
    assert cli.main(["experiments"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "broken  (cannot be read: invalid syntax, line 1)",
        "part    Shares the options of the toy.",
        "plain   Computes every row.",
        "toy     Toys can be counted.",
    ]
