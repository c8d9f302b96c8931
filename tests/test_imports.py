"""Imports point one way: the table of docs/architecture.md, held by walking every import of src/ and experiments/."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "seq2slim"

# A module imports from its own package and from packages of lower rank only.
RANKS = {
    "__main__": 8,
    "cli": 7,
    "experiments": 7,
    "plots": 6,  # called by cli and experiments alone
    "stages": 5,
    "inference": 4,
    "recipes": 3,
    "runs": 3,
    "tasks": 3,
    "training": 2,
    "evaluation": 2,
    "distillation": 2,
    "storage": 2,
    "losses": 1,
    "decoding": 1,
    "models": 0,
    "pruning": -1,
    "data": 0,
    "errors": -1,
    "files": -1,
    "installation": -1,
    "json_values": -1,
    "special_ids": -1,
}
# What a person's own JAX project needs to use `pruning`.
PRUNING_MAY_IMPORT = {"jax", "optax", "numpy"}
# Imported inside functions, as few runs need them and they are slow to import.
OPTIONAL = {"tensorflow_datasets", "array_record", "importlib_resources", "requests"}
# Modules of ours that cannot do without those: imported inside functions alone.
OPTIONAL_MODULES = ("seq2slim.data.corpora.builders",)


def modules() -> list[Path]:
    return [path for top in (ROOT / "src" / PACKAGE, ROOT / "experiments") for path in sorted(top.rglob("*.py"))]


def package_of(path: Path) -> str:
    if path.is_relative_to(ROOT / "experiments"):
        return "experiments"
    return path.relative_to(ROOT / "src" / PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.Module, path: Path):
    """(full dotted name, node) of each import; `from a import b` is a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}, line {node.lineno}: a relative import; write the full name"
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def complaints(source: str, path: Path) -> list[str]:
    """What in a module breaks the rules."""
    tree, package, found = ast.parse(source), package_of(path), []
    inner = {id(node) for scope in ast.walk(tree) if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)
             for node in ast.walk(scope)}  # fmt: skip
    for name, node in imports(tree, path):
        top, _, rest = name.partition(".")
        where = f"{path.relative_to(ROOT)}, line {node.lineno}: "
        optional = top in OPTIONAL or name.startswith(OPTIONAL_MODULES)
        if id(node) in inner and not optional and package != "experiments":
            found.append(f"{where}imports {name} inside a function")
        if id(node) not in inner and name.startswith(OPTIONAL_MODULES):
            found.append(f"{where}imports {name} at the top, which needs an optional package")
        if top == "experiments" and package not in ("experiments", "__init__"):
            found.append(f"{where}imports {name}")
        if top == PACKAGE:
            target = rest.partition(".")[0]
            if target not in RANKS:
                found.append(f"{where}imports {name}: no package of that name has a rank")
            elif target != package and RANKS[target] >= RANKS.get(package, RANKS["experiments"]):
                found.append(f"{where}{package} imports {target}")
            elif package == "pruning" != target:
                found.append(f"{where}pruning imports {target}")
            elif target == "plots" and package not in ("plots", "cli", "experiments"):
                found.append(f"{where}{package} imports plots")
        elif package == "pruning" and top not in PRUNING_MAY_IMPORT | sys.stdlib_module_names:
            found.append(f"{where}pruning imports {top}")
        elif package == "plots" and top == "jax":
            found.append(f"{where}plots draws rows and needs no jax")
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_of(path):
    assert complaints(path.read_text(encoding="utf-8"), path) == []


def test_every_package_has_a_rank():
    packages = {package_of(path) for path in modules()} - {"__init__"}
    assert packages <= set(RANKS)


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("src/seq2slim/pruning/x.py", "import flax", "pruning imports flax"),
        ("src/seq2slim/pruning/x.py", "from seq2slim.models import lstm", "pruning imports models"),
        ("src/seq2slim/pruning/x.py", "from seq2slim import files", "pruning imports files"),
        ("src/seq2slim/data/x.py", "from seq2slim import models", "data imports models"),
        ("src/seq2slim/losses/x.py", "import seq2slim.decoding.beam", "losses imports decoding"),
        ("src/seq2slim/training/x.py", "from seq2slim.runs import stage", "training imports runs"),
        ("src/seq2slim/stages/x.py", "import seq2slim.plots", "stages imports plots"),
        ("src/seq2slim/models/x.py", "def f():\n  import jax", "imports jax inside a function"),
        ("src/seq2slim/data/x.py", "from experiments import prune80", "imports experiments.prune80"),
        ("src/seq2slim/data/x.py", "from seq2slim.data.corpora.builders import Bible", "needs an optional package"),
        ("src/seq2slim/training/x.py", "import seq2slim.nowhere", "no package of that name"),
    ],
)
def test_the_rules_bite(path, source, complaint):
    (found,) = complaints(source, ROOT / path)
    assert complaint in found


def test_the_rules_let_the_good_pass():
    good = "import jax, optax, os\nfrom seq2slim.pruning.masks import apply\nfrom seq2slim import pruning"
    assert complaints(good, ROOT / "src/seq2slim/pruning/x.py") == []
    assert complaints("from seq2slim import plots, stages", ROOT / "experiments/x.py") == []
    inside = "def f():\n  from seq2slim.data.corpora.builders import Bible"
    assert complaints(inside, ROOT / "src/seq2slim/data/x.py") == []
    assert complaints("def f():\n  import array_record", ROOT / "src/seq2slim/data/x.py") == []
