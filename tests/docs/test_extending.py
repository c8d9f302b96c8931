"""docs/extending.md as it stands: each change is made in a copy of the sources, and its commands are run there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seq2slim import pruning
from seq2slim.training.checkpoints import Checkpoints
from seq2slim.training.metrics import read_metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
_FILE = re.compile(r"^`([\w/.]+\.py)`:\n\n```(python|diff)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
LINES = ["a b b a", "c c c", "d e f d e f"]  # of words.txt


def patched(text: str, patch: str, where: str) -> str:
    """`text` after the hunks of a diff without line numbers; a blank line stands between hunks."""
    for hunk in re.split(r"\n\n+", patch.strip("\n")):
        lines = hunk.split("\n")
        before = "".join(line[1:] + "\n" for line in lines if line[0] in " -")
        assert text.count(before) == 1, f"{where} has {text.count(before)} times:\n{before}"
        text = text.replace(before, "".join(line[1:] + "\n" for line in lines if line[0] in " +"))
    return text


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the sources with all changes of the page made, in its order, and the folder of its runs."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name, kind, content in _FILE.findall(PAGE):
        path = folder / name
        assert path.exists() == (kind == "diff"), name
        path.write_text(patched(path.read_text(), content, name) if kind == "diff" else content)
    return folder


def run(project: Path, section: str) -> str:
    """The output of the commands of a section."""
    environment = os.environ | {"PYTHONPATH": str(project / "src"), "SEQ2SLIM_RUNS": str(project / "runs")}
    (commands,) = _COMMANDS.findall(SECTIONS[section])
    shown = commands.replace("python ", f"{sys.executable} ")
    done = subprocess.run(
        ["bash", "-ec", shown], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_change_is_of_at_most_two_files():
    assert list(SECTIONS) == ["A scheme", "An objective", "A task", "A constraint"]
    for section in SECTIONS.values():
        assert [kind for _, kind, _ in _FILE.findall(section)] == ["python", "diff"]


def test_a_scheme(project):
    run(project, "A scheme")
    dense = Checkpoints(project / "baseline" / "model").restore_item("params")[1]
    masks = Checkpoints(project / "pruned" / "model").restore_item("masks")[1]
    found = pruning.count(masks)
    assert found.total - found.kept == round(0.9 * found.total)
    assert any(
        (kept != own).any()
        for kept, own in zip(masks["encoder"].values(), pruning.class_blind(dense, 0.9)["encoder"].values())
        for kept, own in ((kept["forward"]["kernel"], own["forward"]["kernel"]),)
    )


def test_an_objective(project):
    run(project, "An objective")
    rows = [row for row in read_metrics(project / "unsure" / "metrics.jsonl") if "train_loss" in row]
    assert rows
    for row in rows:
        assert row["entropy"] > 0
        assert row["train_perplexity"] > 1


def test_a_task_and_its_constraint(project):
    output = run(project, "A task")
    assert re.search(r"exact match greedy +\d", output), output
    assert any("valid_exact_match" in row for row in read_metrics(project / "once" / "metrics.jsonl"))
    translations = run(project, "A constraint").splitlines()
    assert len(translations) == len(LINES)
    for line in translations:
        words = line.split()
        assert words
        assert len(words) == len(set(words)), line
