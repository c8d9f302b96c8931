"""README.md and docs/*.md: commands, links and figures. `test_extending.py` has the page on extensions.

A `console` block is run, all of them in the order of the pages, on the toy language: what it shows must be printed,
numbers apart. A `python` block is run after them (both take minutes: `make test-slow`).
The commands of a `sh` block need hours, a network or files of the
reader: their options are parsed by the program, and nothing is run.
"""

import ast
import importlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import jax.numpy as jnp
import pytest
import tyro

from seq2slim import cli
from seq2slim.cli.program import COMMANDS
from tests.support.smoke import Toy

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if path.name != "extending.md"
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ADDRESS = PROJECT["urls"]["Repository"]
MARK = "~~~ next command ~~~"


def blocks(kind: str) -> list[str]:
    """The fenced blocks of one kind, in the order of the pages."""
    fence = re.compile(rf"^```{kind}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [block for text in PAGES.values() for block in fence.findall(text)]


def transcripts() -> list[tuple[str, list[str]]]:
    """(command, lines shown after it) of all `console` blocks."""
    found = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            found.append((command, shown))
    return found


def shape(line: str) -> str:
    """What a printed line has in common with the one shown: no numbers, column widths, or runners-up of a search."""
    line = re.sub(r"^-?\d+\.\d+\t.*", "score and hypothesis", line)
    line = re.sub(r"\d[\d.,]*", "#", line)
    return re.sub(r"([\s━─])+", r"\1", line).strip()


@pytest.fixture(scope="module")
def folder(smoke, tmp_path_factory):
    """A folder like a clone, with the runs of the smoke run: what they trained is found and not trained again."""
    assert smoke.code == 0, smoke.output
    made = tmp_path_factory.mktemp("clone")
    smoke.copy(made / "runs")
    (made / "experiments").symlink_to(ROOT / "experiments")
    return made


@pytest.fixture(scope="module")
def printed(folder):
    """What each command of the transcripts printed, in order; all run in `folder`, by bash."""
    # Not pipefail: `head` may end before its writer, which then fails.
    lines = ["set -e", f'python() {{ {shlex.quote(sys.executable)} "$@"; }}']
    for command, _ in transcripts():
        lines += [f"echo {shlex.quote(MARK)}", command]
    environment = Toy(folder / "runs", {}).environment() | {"COLUMNS": "110"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split(f"{MARK}\n")[1:]


@pytest.mark.slow
def test_transcripts_show_what_is_printed(printed):
    shown = transcripts()
    assert len(printed) == len(shown) > 10
    for (command, lines), output in zip(shown, printed):
        missing = Counter(map(shape, lines)) - Counter(map(shape, output.splitlines()))
        assert not missing, f"$ {command}\n{output}"


@pytest.mark.slow
def test_python_blocks_run_and_give_what_their_comments_say(folder, printed, monkeypatch):
    assert printed
    monkeypatch.chdir(folder)
    names, checked = {"params": {"w": jnp.arange(20.0).reshape(4, 5), "b": jnp.ones(5)}}, 0
    for block in blocks("python"):
        exec(block, names)
        for expression, comment in re.findall(r"^(model\..*?)  # (\[.*)$", block, re.MULTILINE):
            try:
                expected = ast.literal_eval(comment)
            except (SyntaxError, ValueError):  # in words
                continue
            assert eval(expression, names) == expected
            checked += 1
    assert checked
    assert jnp.count_nonzero(names["params"]["w"]) == 4
    assert jnp.count_nonzero(names["params"]["b"]) == 5


class Parsed(Exception):
    """The program has parsed the options of its command."""


@pytest.fixture
def parse_only(monkeypatch):
    """Makes each command end with `Parsed` in place of its work."""

    def ending(parse):
        def parse_and_end(*arguments):
            parse(*arguments)
            raise Parsed

        return parse_and_end

    for name in COMMANDS:
        module = importlib.import_module(f"seq2slim.cli.{name.replace('-', '_')}")
        if hasattr(module, "parse"):
            monkeypatch.setattr(module, "parse", ending(module.parse))
        if hasattr(module, "keep_compiled"):
            monkeypatch.setattr(module, "keep_compiled", lambda folder: None)
    retrain = importlib.import_module("seq2slim.cli.retrain")
    monkeypatch.setattr(retrain, "_start", lambda arguments: retrain.Options(tyro.MISSING))  # there is no such run
    monkeypatch.chdir(ROOT)


def typed() -> list[list[str]]:
    """The words of each command in the `sh` blocks, without comments and redirections."""
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    return [words for line in lines if (words := shlex.split(re.sub(r" [<>|] .*", "", line), comments=True))]


def check_program(words: list[str]):
    """The program takes these words."""
    code = 0
    try:
        code = cli.main(words)
    except Parsed:
        pass
    except SystemExit as exit_:
        code = exit_.code
    assert code == 0


@pytest.mark.parametrize("words", typed(), ids=lambda words: " ".join(words)[:70])
def test_commands_are_understood(words, parse_only):
    if words[0] == "make":
        variables = dict(word.split("=", 1) for word in words if "=" in word)
        (target,) = [word for word in words[1:] if "=" not in word]
        makefile = (ROOT / "Makefile").read_text()
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        assert all(f"$({name})" in makefile for name in variables)
        if target == "experiment":
            smoke = ["--smoke"] if "SMOKE" in variables else []
            check_program(["run", variables["EXP"], *smoke, *shlex.split(variables.get("ARGS", ""))])
    elif words[:3] == ["python", "-m", "seq2slim"]:
        check_program(words[3:])
    elif words[0] == "seq2slim":
        check_program(words[1:])
    elif words[:2] in (["pip", "install"], ["git", "clone"]):
        assert words[2].rpartition("git+")[2] == ADDRESS
    else:
        assert words == ["cd", ADDRESS.rpartition("/")[2]]


def test_extras_and_script_are_those_of_the_package():
    named = {extra for text in PAGES.values() for extra in re.findall(r"(?:`|seq2slim)\[(\w+)\]", text)}
    assert named == set(PROJECT.get("optional-dependencies", {}))
    assert set(PROJECT.get("scripts", {})) == {words[0] for words in typed() if words[0] == "seq2slim"}


def test_every_command_is_in_a_block_that_is_checked():
    for page, text in PAGES.items():
        fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        assert text.count("\n```") == 2 * len(fences), page
        for kind, block in fences:
            assert kind in ("", "sh", "console", "python"), (page, kind)
            assert kind or not re.search(r"^(\$|make|python|seq2slim) ", block, re.MULTILINE), (page, block)


@pytest.mark.parametrize("page", [*PAGES, "docs/extending.md"])
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, heading = link.partition("#")
        if name.startswith("https://"):
            assert name.startswith(ADDRESS) or "colab.research.google.com/github/OWNER" in name, link
            continue
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, link


def test_the_readme_is_one_page():
    assert PAGES["README.md"].count("\n") <= 150


def published() -> set[float]:
    """Every number in a report, and every measurement of the benchmark."""
    results = ROOT / "experiments" / "results"
    texts = [path.read_text(encoding="utf-8") for path in results.glob("*/report.md")]
    found = {float(number.replace(",", "")) for text in texts for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}
    for path in (results / "bench").glob("*.jsonl"):
        rows = map(json.loads, path.read_text().splitlines())
        found |= {abs(value) for row in rows for value in row.values() if isinstance(value, int | float)}
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_scores_are_published(page):
    """Each number with two decimals is one of a report, or one rounded."""
    known = {round(number, 2) for number in published()}
    versions = {2.13, 2.15}  # of PyTorch, in the table of speeds
    scores = {float(score) for score in re.findall(r"(?<![\d.])(?<!Python )\d+\.\d\d(?![\d.])", PAGES[page])} - versions
    assert len(scores) > 5
    assert scores <= known, scores - known
