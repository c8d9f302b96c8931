"""The registry: one entry makes a task known to texts, models and the command line, which name no score themselves."""

import ast
from pathlib import Path

import pytest

import seq2slim
from seq2slim.data.corpora import CorpusConfig
from seq2slim.errors import UserError
from seq2slim.runs.stage import differing
from seq2slim.stages.text import Text
from seq2slim.tasks import DEFAULT, TASKS, task_named
from tests.support.reversing import Reversing

SOURCE = Path(seq2slim.__file__).parent
ALLOWED = {
    # Selection by sentence-BLEU is a method of its own (Kim & Rush 2016, sec. 3.3), with published columns and options.
    "stages/relabel.py": {"sentence_bleu", "sentence_bleu_of_first", "sacrebleu"},
    "runs/done.py": {"sacrebleu"},  # whose version is recorded
}


def test_each_task_has_its_name():
    assert DEFAULT in TASKS
    assert all(name == task.name and task.metrics for name, task in TASKS.items())


@pytest.mark.parametrize(("name", "hint"), [("translaton", "did you mean 'translation'"), ([], "there are: trans")])
def test_an_unknown_task_is_answered_with_the_nearest(name, hint):
    with pytest.raises(UserError, match=hint):
        task_named(name)


def test_the_task_of_a_text_enters_its_identity_unless_it_is_the_default(monkeypatch):
    monkeypatch.setitem(TASKS, Reversing.name, Reversing())
    assert "task" not in differing(Text(CorpusConfig("reverse")))
    assert differing(Text(CorpusConfig("reverse"), task="reversing"))["task"] == "reversing"
    with pytest.raises(UserError, match="did you mean 'reversing'"):
        Text(CorpusConfig("reverse"), task="revers")


def named(source: str) -> set[str]:
    """Names, attributes, imports and strings of one word in code that hold "bleu"; prose and comments may."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.arg(arg=word) | ast.keyword(arg=str(word)):
                found.add(word)
            case ast.FunctionDef(name=word) | ast.ClassDef(name=word):
                found.add(word)
            case ast.alias(name=word) | ast.ImportFrom(module=str(word)):
                found.add(word)
            case ast.Constant(value=str(word)) if len(word.split()) == 1:
                found.add(word)
    return {word for word in found if "bleu" in word.lower()}


@pytest.mark.parametrize("package", ["stages", "inference", "cli", "training", "runs"])
def test_no_code_above_a_task_knows_its_scores(package):
    for path in sorted((SOURCE / package).rglob("*.py")):
        place = path.relative_to(SOURCE).as_posix()
        assert named(path.read_text(encoding="utf-8")) <= ALLOWED.get(place, set()), place


@pytest.mark.parametrize("package", ["stages", "inference", "cli"])
def test_every_search_is_given_the_constraint_of_a_task(package):
    for path in sorted((SOURCE / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "make_search":
                given = {keyword.arg for keyword in node.keywords}
                assert "constraint" in given, f"{path.relative_to(SOURCE)}, line {node.lineno}"


def test_the_search_for_names_finds_them():
    code = 'import sacrebleu\nfrom a.bleu import b\nf(BLEU=x.bleu_of)\n"BLEU of it"\nrow["best_bleu"] = f"{y}_bleu"\n'
    assert named(code) == {"sacrebleu", "a.bleu", "BLEU", "bleu_of", "best_bleu", "_bleu"}
