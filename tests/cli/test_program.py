"""The program: a user error is one line and exit code 2, a bug keeps its traceback, and starting it is light."""

import subprocess
import sys

import pytest

import seq2slim
from seq2slim import cli


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["experimnts"], "no command 'experimnts'; did you mean 'experiments'?"),
        (["zzz"], "no command 'zzz'; there are: experiments, run"),
        (["run"], "run which experiment? There are: broken, part, plain, toy"),
        (["run", "tyo"], "no experiment 'tyo'; did you mean 'toy'?"),
        (["run", "toy", "--smoke", "--publish"], "--smoke and --publish exclude each other"),
        (["run", "plain", "--use-published"], "plain computes every row: it does not take --use-published"),
        (["run", "toy", "--mistake", "user"], "line 3 of x.txt is bad"),
        (["run", "toy", "--mistake", "file"], "nowhere.txt"),
    ],
)
def test_a_mistake_is_answered_in_one_line(project, capsys, arguments, message):
    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("seq2slim: ")
    assert message in line


def test_ctrl_c_ends_without_a_traceback(project):
    assert cli.main(["run", "toy", "--mistake", "impatience"]) == 130


def test_a_bug_keeps_its_traceback(project, monkeypatch):
    with pytest.raises(ValueError, match="invalid literal"):
        cli.main(["run", "toy", "--mistake", "bug"])
    monkeypatch.setenv("SEQ2SLIM_TRACEBACK", "1")
    with pytest.raises(ValueError, match=r"line 3 of x\.txt"):
        cli.main(["run", "toy", "--mistake", "user"])


def test_as_a_program_it_is_light_and_lists_its_commands(project):
    code = "import sys; from seq2slim.cli import main; main([]); main(['experiments']); sys.exit('jax' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert "usage: python -m seq2slim COMMAND" in process.stdout
    assert "Toys can be counted." in process.stdout
    process = subprocess.run([sys.executable, "-m", "seq2slim", "runn"], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == "seq2slim: no command 'runn'; did you mean 'run'?\n"


def test_the_version_is_fast():
    code = "import sys; from seq2slim.cli import main; main(['--version']); sys.exit('jax' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout) == (0, f"seq2slim {seq2slim.__version__}\n")


@pytest.mark.parametrize("words", [["experiments"], ["run", "prune80"], ["run"]])
def test_without_experiments_it_says_where_they_are(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"no folder experiments/ in {tmp_path}; the experiments are in a clone of the repository: git clone" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "did you mean 'train'?"),
        (["train", "--recip", "tiny"], "--recipe"),
        (["train", "--recipe", "tiny", "--corpus.name", "revers"], "did you mean 'reverse'?"),
        (["train", "--link", "README.md"], "this exists already and is not a link"),
        (["translate", "--run", "runs/nothing"], "no run runs/nothing"),
        (["prune", "--run", "BASELINE", "--scheme", "class_blnd"], "class_blind"),
        (["prune", "--run", "TYPO"], "did you mean 'BASELINE'?"),
        (["translate", "--run", "TEXT"], "is a run of text, which has no model"),
    ],
)
def test_a_mistake_is_answered_with_what_is_right(toy, words, message, capsys, monkeypatch):
    baseline = toy.run_dirs["baseline"]
    monkeypatch.setenv("SEQ2SLIM_RUNS", str(toy.runs))
    names = {
        "BASELINE": str(baseline),
        "TYPO": baseline.name[:-1],
        "TEXT": next(path.name for path in toy.runs.glob("text-*")),
    }
    try:
        code = cli.main([names.get(word, word) for word in words])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    assert message.replace("BASELINE", baseline.name) in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_listing_whose_reader_has_gone_is_not_a_success(toy):
    command = " ".join(toy.command("inspect", toy.run_dirs["retrained"]))
    done = subprocess.run(
        ["bash", "-c", f"({command}; echo $? >&2) | true"], capture_output=True, text=True, check=False,
        cwd=toy.runs.parent, env=toy.environment(),
    )  # fmt: skip
    assert done.stderr.split() == ["141"]
