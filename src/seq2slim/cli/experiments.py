"""`experiments`: what can be run, found without importing any of it."""

import ast
from collections.abc import Sequence
from pathlib import Path

from seq2slim.cli.mistakes import UsageError

FOLDER = "experiments"  # of the working directory


def run(arguments: Sequence[str]):
    """Lists the experiments with their claims."""
    if set(arguments) & {"-h", "--help"}:
        print("usage: python -m seq2slim experiments\n\nLists the experiments in experiments/ with their claims.")
        return
    if arguments:
        raise UsageError(f"experiments takes no arguments, got {' '.join(arguments)!r}")
    found = claims()
    width = max(map(len, found), default=0)
    for name, claim in found.items():
        print(f"{name:{width}}  {claim}")


def claims() -> dict[str, str]:
    """Name -> first line of the docstring, of the modules in experiments/ with `Config` and `main`; none imported."""
    folder = Path(FOLDER)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {FOLDER}/ in {Path.cwd()}; run this from the root of the project")
    found = {}
    for path in sorted(folder.glob("[!_]*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            found[path.stem] = f"(cannot be read: {error.msg}, line {error.lineno})"
            continue
        defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        if {"Config", "main"} <= defined:
            found[path.stem] = (ast.get_docstring(tree) or "(no docstring)").splitlines()[0]
    return found
