"""`run` passes its options to an experiment, and its help shows them."""

import os

import pytest

from seq2slim import cli


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        ([], "0.1 3 False False"),
        (["--smoke"], "0.1 1 True False"),
        (["--inner.learning-rate", "0.5", "--use-published", "--epochs", "7"], "0.5 7 False True"),
        (["--epochs", "9", "--smoke"], "0.1 9 True False"),
    ],
)
def test_an_experiment_is_run_with_its_options(project, capsys, arguments, printed):
    assert cli.main(["run", "toy", *arguments]) == 0
    assert capsys.readouterr().out == f"{printed} {project / 'runs'}\n"
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(project / "runs" / "xla-cache")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [([], "part 3 False False"), (["--smoke"], "part 1 True False"), (["--use-published"], "part 3 False True")],
)
def test_what_stands_beside_an_imported_config_goes_with_it(project, capsys, arguments, printed):
    assert cli.main(["run", "part", *arguments]) == 0
    assert capsys.readouterr().out == f"{printed}\n"


def test_an_experiment_with_an_imported_config_may_have_its_own_smoke(project, capsys):
    own = "def smoke(config):\n    return dataclasses.replace(config, epochs=99)\n"
    part = project / "experiments" / "part.py"
    part.write_text(
        part.read_text().replace("from experiments.toy", "import dataclasses\n\nfrom experiments.toy") + own
    )
    assert cli.main(["run", "part", "--smoke"]) == 0
    assert capsys.readouterr().out == "part 99 True False\n"


@pytest.mark.parametrize(("arguments", "epochs"), [([], 0), (["--epochs", "7"], 7)])
def test_an_experiment_may_choose_its_defaults_from_the_arguments(project, capsys, arguments, epochs):
    assert cli.main(["run", "plain", *arguments]) == 0
    assert capsys.readouterr().out == f"{epochs}\n"


def test_help_shows_the_claim_and_every_option(project, capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["run", "toy", "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    for word in (
        "Toys can be counted.",
        "--smoke",
        "--publish",
        "--use-published",
        "--inner.learning-rate",
        "at its highest",
    ):
        assert word in text
