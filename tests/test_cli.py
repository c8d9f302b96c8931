"""The command line: lists, runs, and answers a mistake with the nearest name, one line, exit code 2, no traceback."""

import os
import subprocess
import sys

import pytest

from seq2slim import cli

TOY = '''"""Toys can be counted.

More about it.
"""

import dataclasses

import numpy

TAKES_PUBLISHED_ROWS = True


@dataclasses.dataclass(frozen=True)
class Inner:
    """How.

    Attributes:
      learning_rate: at its highest.
    """

    learning_rate: float = 0.1


@dataclasses.dataclass(frozen=True)
class Config:
    """All.

    Attributes:
      inner: how.
      epochs: passes.
      mistake: what goes wrong.
    """

    inner: Inner = Inner()
    epochs: int = 3
    mistake: str = ""


def smoke(config):
    return dataclasses.replace(config, epochs=1)


def main(config, runner):
    print(config.inner.learning_rate, config.epochs, runner.options.smoke, runner.options.use_published, runner.runs)
    if config.mistake == "told":
        raise ValueError(
            "line 3 of x.txt is bad"
        )
    if config.mistake == "bug":
        int("x")
    if config.mistake == "impatience":
        raise KeyboardInterrupt
    if config.mistake == "file":
        open("nowhere.txt")
'''


PLAIN = '''"""Computes every row."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Config:
    """All.

    Attributes:
      epochs: passes.
    """

    epochs: int = 3


def start(arguments):
    return Config(epochs=len(arguments))


def main(config, runner):
    print(config.epochs)
'''


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "__init__.py").touch()
    (tmp_path / "experiments" / "toy.py").write_text(TOY)
    (tmp_path / "experiments" / "plain.py").write_text(PLAIN)
    (tmp_path / "experiments" / "broken.py").write_text("def main(:\n")
    (tmp_path / "experiments" / "bench.py").write_text('"""No experiment."""\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in list(sys.modules):
        if name.split(".")[0] == "experiments":
            monkeypatch.delitem(sys.modules, name)
    for name in ("JAX_COMPILATION_CACHE_DIR", "SEQ2SLIM_RUNS", "SEQ2SLIM_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    for name in list(os.environ):
        if name.startswith("JAX_PERSISTENT_CACHE"):
            monkeypatch.delenv(name)
    yield tmp_path
    for name in list(sys.modules):
        if name.split(".")[0] == "experiments":
            del sys.modules[name]
    for name in list(os.environ):
        if name.startswith(("JAX_PERSISTENT_CACHE", "JAX_COMPILATION_CACHE")):
            del os.environ[name]


def test_experiments_are_listed_with_their_claims(project, capsys):
    assert cli.main(["experiments"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "broken  (cannot be read: invalid syntax, line 1)",
        "plain   Computes every row.",
        "toy     Toys can be counted.",
    ]


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


@pytest.mark.parametrize(("arguments", "epochs"), [([], 0), (["--epochs", "7"], 7)])
def test_an_experiment_may_choose_its_defaults_from_the_arguments(project, capsys, arguments, epochs):
    assert cli.main(["run", "plain", *arguments]) == 0
    assert capsys.readouterr().out == f"{epochs}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["experimnts"], "no command 'experimnts'; did you mean 'experiments'?"),
        (["zzz"], "no command 'zzz'; there are: experiments, run"),
        (["run"], "run which experiment? There are: broken, plain, toy"),
        (["run", "tyo"], "no experiment 'tyo'; did you mean 'toy'?"),
        (["run", "toy", "--smoke", "--publish"], "--smoke and --publish exclude each other"),
        (["run", "plain", "--use-published"], "plain computes every row: it does not take --use-published"),
        (["run", "toy", "--mistake", "told"], "line 3 of x.txt is bad"),
        (["run", "toy", "--mistake", "file"], "nowhere.txt"),
    ],
)
def test_a_mistake_is_answered_in_one_line(project, capsys, arguments, message):
    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("seq2slim: ")
    assert message in line


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


def test_ctrl_c_ends_without_a_traceback(project):
    assert cli.main(["run", "toy", "--mistake", "impatience"]) == 130


def test_a_bug_keeps_its_traceback(project, monkeypatch):
    with pytest.raises(ValueError, match="invalid literal"):
        cli.main(["run", "toy", "--mistake", "bug"])
    monkeypatch.setenv("SEQ2SLIM_TRACEBACK", "1")
    with pytest.raises(ValueError, match=r"line 3 of x\.txt"):
        cli.main(["run", "toy", "--mistake", "told"])


def test_help_tells_the_claim_and_every_option(project, capsys):
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


def test_as_a_program_it_is_light_and_tells_its_commands(project):
    code = "import sys; from seq2slim.cli import main; main([]); main(['experiments']); sys.exit('jax' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert "usage: python -m seq2slim COMMAND" in process.stdout
    assert "Toys can be counted." in process.stdout
    process = subprocess.run([sys.executable, "-m", "seq2slim", "runn"], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == "seq2slim: no command 'runn'; did you mean 'run'?\n"
