"""`experiments`: lists the experiments, without importing them."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2slim.errors import UserError
from seq2slim.installation import REPOSITORY

FOLDER = "experiments"  # of the working directory
HELP = "usage: python -m seq2slim experiments\n\nLists the experiments in experiments/ with their claims."


class Experiment(NamedTuple):
    """A module with `Config` and `main`. module: dotted name. claim: first line of its docstring."""

    module: str
    claim: str


def run(arguments: Sequence[str]):
    """Lists the experiments with their claims."""
    if set(arguments) & {"-h", "--help"}:
        print(HELP)
        return
    if arguments:
        raise UserError(f"experiments takes no arguments, got {' '.join(arguments)!r}")
    found = find_experiments()
    width = max(map(len, found), default=0)
    for name, experiment in found.items():
        print(f"{name:{width}}  {experiment.claim}")


def experiments_folder() -> Path:
    """The folder experiments/ of the working directory. Raises: UserError that says where there is one."""
    folder = Path(FOLDER)
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {FOLDER}/ in {Path.cwd()}; the experiments are in a clone of the repository: "
            f"git clone {REPOSITORY}, and run this from its root"
        )
    return folder


def find_experiments() -> dict[str, Experiment]:
    """Name -> experiment, of all modules in experiments/ and its folders that have `Config` and `main`.

    Either may be defined in the module or imported into it. Modules are parsed, not imported.

    Raises: UserError if there is no folder experiments/, or two experiments have the same name.
    """
    folder = experiments_folder()
    found: dict[str, Experiment] = {}
    broken: dict[str, Experiment] = {}
    paths = (path for path in folder.rglob("[!_]*.py") if not any(part.startswith(".") for part in path.parts))
    for path in sorted(paths, key=lambda path: path.stem):
        module = ".".join(path.with_suffix("").parts)
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            broken[path.stem] = Experiment(module, f"(cannot be read: {error.msg}, line {error.lineno})")
            continue
        if {"Config", "main"} <= _names(tree):
            if path.stem in found:
                raise UserError(f"two experiments are called {path.stem}: {found[path.stem].module} and {module}")
            found[path.stem] = Experiment(module, (ast.get_docstring(tree) or "(no docstring)").splitlines()[0])
    return dict(sorted((broken | found).items()))


def _names(tree: ast.Module) -> set[str]:
    """The classes and functions that a module defines or imports at its top level."""
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return defined | {alias.asname or alias.name for node in imported for alias in node.names}
