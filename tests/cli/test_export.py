"""An exported file translates as its run does."""

import re


def test_a_model_file_translates_as_the_run_it_was_made_from(toy):
    folder = toy.runs.parent
    said = toy.type("export", toy.run_dirs["retrained"], "-o", "model.slim").stdout.decode()
    assert said == f"model.slim: {(folder / 'model.slim').stat().st_size:,} bytes\n"
    lines = ("\n".join([*toy.lines("test", "letters")[:20], "", "x y z"]) + "\n").encode()
    from_run = toy.type("translate", "--run", toy.run_dirs["retrained"], input=lines).stdout
    assert toy.type("translate", "--model", "model.slim", input=lines).stdout == from_run
    shown = toy.type("inspect", "model.slim").stdout.decode()
    assert re.search(r"attention/kernel +4,608 +[\d,]+ +float32", shown)
    (folder / "cut.slim").write_bytes((folder / "model.slim").read_bytes()[:-1])
    for command in (["translate", "--model", "cut.slim"], ["inspect", "cut.slim"]):
        (line,) = toy.type(*command, code=2).stderr.decode().splitlines()
        assert "cut.slim" in line
    both = toy.type("translate", "--model", "model.slim", "--run", toy.run_dirs["retrained"], code=2)
    assert b"not both" in both.stderr
