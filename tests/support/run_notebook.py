"""Runs the cells of a notebook in a process of its own: python -m tests.support.run_notebook NOTEBOOK FOLDER NAME...

IPython's own shell runs them, without kernel and sockets: `%pip`, `!` and `display` mean what they mean in Jupyter, and
the tests need one package more, not thirty. Ends with 1 and the traceback at the first cell that fails. Writes
    FOLDER/outputs.json   cell id -> {"text": what it printed, "displayed": [{MIME type: data}]}
    FOLDER/arrays.npz     the leaves of the pytrees NAME..., as the notebook leaves them: NAME/0, NAME/1, ...
"""

import json
import sys
from pathlib import Path

import jax
import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config


def main(notebook: Path, folder: Path, names: list[str]) -> int:
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    outputs = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        with capture_output() as captured:
            result = shell.run_cell("".join(cell["source"]), store_history=False)
        if not result.success:
            print(f"{notebook.name}, cell {cell['id']!r}:\n{captured.stdout}{captured.stderr}")
            return 1
        displayed = [_text_alone(output.data) for output in captured.outputs]
        outputs[cell["id"]] = {"text": captured.stdout, "displayed": displayed}
    (folder / "outputs.json").write_text(json.dumps(outputs), encoding="utf-8")
    arrays = {f"{name}/{n}": np.asarray(leaf) for name in names for n, leaf in enumerate(_arrays(shell.user_ns[name]))}
    np.savez(folder / "arrays.npz", **arrays)
    return 0


def _arrays(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, jax.Array)]


def _text_alone(data: dict) -> dict:
    return {kind: value for kind, value in data.items() if isinstance(value, str)}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
