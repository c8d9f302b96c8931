"""`experiments`: what can be run, found without importing any of it."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2slim.errors import UserError

FOLDER = "experiments"  # of the working directory
HELP = "usage: python -m seq2slim experiments\n\nLists the experiments in experiments/ with their claims."


class Experiment(NamedTuple):
    """A module with `Config` and `main`. module: its dotted name. claim: the first line of its docstring."""

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


def find_experiments() -> dict[str, Experiment]:
    """The experiments in experiments/ and its folders, by the name of their module; none is imported.

    Raises: UserError if there is no such folder, or two experiments have one name.
    """
    folder = Path(FOLDER)
    if not folder.is_dir():
        raise UserError(f"there is no folder {FOLDER}/ in {Path.cwd()}; run this from the root of the project")
    found: dict[str, Experiment] = {}
    for path in sorted(folder.rglob("[!_]*.py"), key=lambda path: path.stem):
        module = ".".join(path.with_suffix("").parts)
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            found[path.stem] = Experiment(module, f"(cannot be read: {error.msg}, line {error.lineno})")
            continue
        defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        if {"Config", "main"} <= defined:
            if path.stem in found:
                raise UserError(f"two experiments are called {path.stem}: {found[path.stem].module} and {module}")
            found[path.stem] = Experiment(module, (ast.get_docstring(tree) or "(no docstring)").splitlines()[0])
    return found
