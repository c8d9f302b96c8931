"""`evaluate` prints what an experiment finds, and refuses wrong options before any work."""

import re

import pytest

from seq2slim import cli


def test_evaluate_says_what_the_experiment_says(toy, smoke):
    files = [toy.runs / "cache" / "reverse" / f"test.{side}" for side in ("letters", "reversed")]
    row = smoke.models["retrained"]
    shown = toy.type("evaluate", "--run", toy.run_dirs["retrained"], "--test", *files).stdout.decode()
    said = dict(re.split(r"  +", line, maxsplit=1) for line in shown.splitlines() if "  " in line)
    assert said["BLEU greedy"] == f"{row['greedy_bleu']:.2f}"
    assert said["BLEU beam 5"] == f"{row['beam_bleu']:.2f}"
    assert said["signature"] == row["signature"]
    assert said["perplexity"].startswith(f"{row['perplexity']:.2f} of ")
    assert f"sparsity {row['sparsity']:.1%}" in said["weights"]
    toy.type("export", toy.run_dirs["retrained"], "-o", "whole.slim")
    assert toy.type("evaluate", "--model", "whole.slim", "--test", *files).stdout.decode() == shown


def test_evaluate_needs_parallel_files(toy, tmp_path, capsys):
    (tmp_path / "one").write_text("a\n")
    (tmp_path / "two").write_text("a\nb\n")
    paths = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert cli.main(["evaluate", "--run", str(toy.run_dirs["baseline"]), "--test", *paths]) == 2
    assert "has 1 lines and" in capsys.readouterr().err


def test_evaluate_takes_its_options_and_refuses_them_before_the_work(toy, tmp_path, capsys, monkeypatch):
    paths = [tmp_path / side for side in ("source", "reference")]
    for path, side in zip(paths, ("letters", "reversed")):
        path.write_text("".join(f"{line}\n" for line in toy.lines("test", side)[:8]))
    command = ["evaluate", "--run", str(toy.run_dirs["retrained"]), "--test", *map(str, paths)]
    assert cli.main([*command, "--beam", "2", "--tokenize", "none", "--replace-unknown", "copy"]) == 0
    shown = capsys.readouterr().out
    found = re.findall(r"BLEU (greedy|beam 2) +([\d.]+)", shown)
    assert [name for name, _ in found] == ["greedy", "beam 2"]
    assert "|tok:none|" in shown

    monkeypatch.setattr("seq2slim.cli.evaluate.model_perplexity", lambda *_: pytest.fail("the model was evaluated"))
    assert cli.main([*command, "--tokenize", "13b"]) == 2
    assert "tokenize must be one of" in capsys.readouterr().err
