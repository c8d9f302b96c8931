"""The version, and what is said where an extra is missing."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import seq2slim
from seq2slim import cli
from seq2slim.installation import EXTRAS, REPOSITORY, VERSION, MissingExtra, missing_extra, require

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_extras_are_those_of_the_package_as_they_are_imported():
    assert PROJECT["optional-dependencies"]["all"] == ["seq2slim[nmt,experiments]"]
    packages = importlib.metadata.packages_distributions()
    for extra, brings in EXTRAS.items():
        required = [bound.partition(">=")[0] for bound in PROJECT["optional-dependencies"][extra]]
        assert sorted(map(normal, required)) == sorted(normal(packages[name][0]) for name in brings)


def normal(name: str) -> str:
    """The name of a distribution as registries compare it."""
    return re.sub("[-_.]+", "-", name).lower()


def test_address_and_version_are_those_of_the_package():
    assert PROJECT["urls"]["Repository"] == REPOSITORY
    assert seq2slim.__version__ == VERSION
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


def test_the_error_says_what_to_type():
    assert 'pip install "seq2slim[nmt] @ git+https://' in str(missing_extra("orbax.checkpoint"))
    assert 'pip install -e ".[experiments]"' in str(missing_extra("matplotlib"))
    assert isinstance(missing_extra("flax"), ImportError)
    for package in ("no_such_package", "jax", None):
        assert missing_extra(package) is None


def test_require_looks_and_imports_nothing(monkeypatch):
    require("tensorflow_datasets")
    monkeypatch.setitem(sys.modules, "flax", None)
    with pytest.raises(MissingExtra, match="flax is not installed"):
        require("flax")


WITHOUT = """
import importlib, pkgutil, sys
for name in {missing}: sys.modules[name] = None
import seq2slim
for module in sorted(m.name for m in pkgutil.iter_modules(seq2slim.__path__) if m.ispkg):
    try:
        importlib.import_module(f"seq2slim.{{module}}")
        print(module, "ok")
    except seq2slim.installation.MissingExtra as error:
        print(module, error.name)
"""


def imported_without(extra: str) -> dict[str, str]:
    """Package of ours -> 'ok', or the package that its error names, in a process without what `extra` brings."""
    code = WITHOUT.format(missing=EXTRAS[extra])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def test_without_nmt_pruning_and_decoding_can_be_imported_and_the_others_say_so():
    found = imported_without("nmt")
    assert {name for name, what in found.items() if what == "ok"} == {"pruning", "decoding", "cli", "plots"}
    assert set(found.values()) == {"ok", "flax"}


def test_without_experiments_all_but_figures_can_be_imported():
    found = imported_without("experiments")
    assert {name: what for name, what in found.items() if what != "ok"} == {"plots": "matplotlib"}


@pytest.mark.parametrize("code", ["import seq2slim; seq2slim.load('x')", "from seq2slim import models",
                                  "import seq2slim.models.lstm"])  # fmt: skip
def test_however_it_is_imported(code):
    code = f"import sys; sys.modules['flax'] = None; {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("seq2slim.installation.MissingExtra: flax is not installed")


def test_a_command_without_its_extra_is_one_line(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("seq2slim.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tyro", None)
    assert cli.main(["train"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("seq2slim: tyro is not installed")
    assert line.endswith('(in a clone: pip install -e ".[nmt]")')
