"""The notebooks, run cell by cell: what they claim is recomputed in NumPy from the arrays that they leave."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ADDRESS = PYPROJECT["project"]["urls"]["Repository"]
MODELS = {
    "dense": "masks", "pruned": "masks", "retrained": "masks", "params": "dict_masks", "net": "net_masks",
    "model": "eqx_masks",
}  # fmt: skip


class Executed(NamedTuple):
    """What a notebook printed, displayed and computed."""

    outputs: dict
    arrays: dict

    def leaves(self, name):
        """The array leaves of a pytree of the notebook, in order."""
        found = {int(key.rpartition("/")[2]): leaf for key, leaf in self.arrays.items() if key.startswith(f"{name}/")}
        return [found[n] for n in sorted(found)]

    def displayed(self, cell, kind):
        """What a cell displayed of one MIME type."""
        return [shown[kind] for shown in self.outputs[cell]["displayed"] if kind in shown]


def execute(name, folder, *names, **environment):
    """Runs a notebook from its own folder, as Jupyter does, with the settings of jax that a person has."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("JAX_")}
    environment = {"PYTHONPATH": os.pathsep.join(paths), "IPYTHONDIR": str(folder / "ipython"), **environment}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.run_notebook", name, folder, *names],
        cwd=ROOT / "notebooks",
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return Executed(json.loads((folder / "outputs.json").read_text()), dict(np.load(folder / "arrays.npz")))


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    names = {"x", "y", *MODELS, *MODELS.values()}
    return execute("quickstart.ipynb", tmp_path_factory.mktemp("quickstart"), *sorted(names))


def masked(quickstart, name):
    """[(weight, mask)] of the matrices of a model. Equinox masks also hold a scalar for each activation function."""
    masks = [mask for mask in quickstart.leaves(MODELS[name]) if mask.ndim]
    weights = [weight for weight in quickstart.leaves(name) if weight.ndim == 2]
    assert [weight.shape for weight in weights] == [mask.shape for mask in masks]
    return list(zip(weights, masks))


class TestQuickstart:
    @pytest.mark.parametrize("name", MODELS)
    def test_eighty_percent_is_pruned(self, quickstart, name):
        masks = [mask for _, mask in masked(quickstart, name)]
        total = 16 * 64 + 64 * 64 + 64
        assert sum(mask.size for mask in masks) == total
        assert sum((~mask).sum() for mask in masks) == round(0.8 * total)

    @pytest.mark.parametrize("name", ["pruned", "retrained", "params", "net", "model"])
    def test_pruned_weights_are_positive_zeros_under_adam(self, quickstart, name):
        for weight, mask in masked(quickstart, name):
            assert (weight[~mask] == 0).all()
            assert not np.signbit(weight[~mask]).any()
            assert (weight[mask] != 0).all()

    def test_the_table_is_that_of_the_weights(self, quickstart):
        pairs = masked(quickstart, "dense")
        kept = np.concatenate([np.abs(weight[mask]) for weight, mask in pairs])
        removed = np.concatenate([np.abs(weight[~mask]) for weight, mask in pairs])
        assert removed.max() <= kept.min()
        (line,) = re.findall("^all classes.*$", quickstart.outputs["flax-prune"]["text"], flags=re.MULTILINE)
        expected = ["5,184", f"{kept.size:,}", "80.00%", f"{kept.min():.3g}", f"{removed.max():.3g}"]
        assert line.split()[2:] == expected

    @pytest.mark.parametrize("cell", ["flax-prune", "equinox"])
    def test_what_is_never_pruned_is_the_biases(self, quickstart, cell):
        (line,) = re.findall("^never pruned.*$", quickstart.outputs[cell]["text"], flags=re.MULTILINE)
        assert line.split()[2] == str(64 + 64 + 1)

    def test_retraining_brings_most_of_it_back(self, quickstart):
        (x,), (y,) = quickstart.leaves("x"), quickstart.leaves("y")
        errors = {}
        for name in ("dense", "pruned", "retrained"):
            hidden, leaves = x.astype(np.float64), quickstart.leaves(name)
            for bias, kernel in zip(leaves[::2], leaves[1::2]):  # flax sorts by name
                hidden = hidden @ kernel + bias
                hidden = hidden if kernel.shape[1] == 1 else np.maximum(hidden, 0)
            errors[name] = np.mean((hidden - y) ** 2)
        assert errors["retrained"] < errors["dense"] + 0.2 * (errors["pruned"] - errors["dense"])
        printed = re.findall(r"squared error ([\d.]+)", quickstart.outputs["flax-retrain"]["text"])
        assert [float(number) for number in printed] == pytest.approx(list(errors.values()), abs=1e-3)


def assert_shows_the_results(executed, runs):
    """The table is that of the rows, the figure is the file."""
    rows = [json.loads(line) for line in (runs / "results" / "prune80" / "rows.jsonl").read_text().splitlines()]
    (table,) = executed.displayed("table", "text/markdown")
    models = sorted((row for row in rows if "beam_bleu" in row), key=lambda row: row["order"])
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    named = [dict(zip(lines[0], line)) for line in lines[2:]]
    assert [line["label"] for line in named] == ["baseline", "control", "pruned 80%", "retrained"]
    for line, row in zip(named, models, strict=True):
        assert line["beam_bleu"] == f"{row['beam_bleu']:.2f}"
        assert line["non_zero"] == f"{row['non_zero']:,}"
    (figure,) = executed.displayed("figure", "image/svg+xml")
    assert figure.startswith("<svg")


def test_prune80_shows_table_and_figure(smoke, tmp_path):
    """Its stages are those of the smoke run, which has trained them: here they are found, not trained again."""
    runs = smoke.copy(tmp_path / "runs").runs
    executed = execute("prune80.ipynb", tmp_path, SEQ2SLIM_RUNS=str(runs))
    assert "finished in" not in executed.outputs["run"]["text"]
    assert_shows_the_results(executed, runs)


@pytest.mark.slow
def test_prune80_from_nothing(tmp_path):
    executed = execute("prune80.ipynb", tmp_path, SEQ2SLIM_RUNS=str(tmp_path / "runs"))
    assert executed.outputs["run"]["text"].count("finished in") == 11
    assert_shows_the_results(executed, tmp_path / "runs")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
class TestAsCommitted:
    def test_without_outputs(self, path):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                assert cell["outputs"] == []
                assert cell["execution_count"] is None
            assert cell["metadata"] == {}
        assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
        assert set(notebook["metadata"]) == {"kernelspec", "language_info"}

    def test_badge_and_installation_name_the_project(self, path):
        title, install = ("".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"][:2])
        colab = ADDRESS.replace("https://github.com/", "https://colab.research.google.com/github/")
        assert f"({colab}/blob/main/notebooks/{path.name})" in title
        assert f"{colab}/blob/main/notebooks/{path.name}" in (ROOT / "README.md").read_text()
        assert ADDRESS in install
        found = set(re.findall(r"https://[\w./]*github[\w./]*/seq2slim", path.read_text()))
        assert found <= {ADDRESS, colab}

    def test_installation_leaves_jax_alone(self, path):
        install = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][1]["source"])
        (pip,) = re.findall(r"%pip install.*", install)
        assert "--upgrade-strategy only-if-needed" in pip
        assert "jax" not in pip
        assert "[all]" in pip
        assert install.index("if spec is None or spec.origin is None:") < install.index(pip)

    def test_nothing_asks_for_a_device(self, path):
        for word in ("JAX_PLATFORMS", "jax_platform", 'devices("', "backend=", "host_platform"):
            assert word not in path.read_text(encoding="utf-8")


def test_no_requirement_makes_an_installation_replace_jax():
    """Ranges from below alone: whatever jax is installed, as long as it is recent, stays."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    for requirement in [*PYPROJECT["project"]["dependencies"], *extras["nmt"], *extras["experiments"]]:
        assert re.fullmatch(r"[\w-]+>=[\d.]+", requirement), requirement
