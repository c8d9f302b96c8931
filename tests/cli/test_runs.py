"""A run is found by its path, its name, and from inside its folder."""

from pathlib import Path

from seq2slim import cli
from seq2slim.cli.runs import find_run


def test_a_run_is_found_from_inside_its_folder(toy, capsys, monkeypatch):
    run_dir = toy.run_dirs["pruned 80%"]
    monkeypatch.chdir(run_dir)
    assert find_run(Path(".")) == run_dir.resolve()
    assert cli.main(["inspect", "."]) == 0
    assert f"  {run_dir.name}\n" in capsys.readouterr().out
    assert cli.main(["prune", "--run", str(toy.run_dirs["baseline"])]) == 0
    assert Path(capsys.readouterr().out.splitlines()[-1]).resolve() == run_dir.resolve()
