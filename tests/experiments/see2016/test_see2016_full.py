"""The full-scale command: its dry run on the toy, and the numbers that it prints of the paper's own model."""

import json
import math
import os
import re

import jax
import pytest
from rich.console import Console as RichConsole

from experiments.see2016 import see2016_full
from seq2slim.data.corpora import CorpusConfig
from seq2slim.models import PRESETS, Seq2Seq
from seq2slim.recipes import RECIPES
from seq2slim.runs.console import Console
from seq2slim.runs.records import read_series
from seq2slim.runs.runner import Runner
from seq2slim.special_ids import EOS
from seq2slim.training.state import TrainState


def recorded():
    """(Console, function that returns what was said so far)."""
    rich = RichConsole(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    return Console(rich), lambda: rich.export_text(clear=False)


def table_rows(text):
    """First cell -> the others, of all tables in `text`."""
    rows = (re.split(r"\s*│\s*", line.strip("│ \n")) for line in text.splitlines() if "│" in line)
    return {cells[0]: cells[1:] for cells in rows}


@pytest.fixture(scope="module")
def dry_run(tmp_path_factory):
    """(runs folder, what was said) of the dry run on the toy."""
    runs = tmp_path_factory.mktemp("dry_run")
    console, said = recorded()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQ2SLIM_RUNS", str(runs))
        see2016_full.main(see2016_full.smoke(see2016_full.Config(steps=2)), Runner(runs, console))
    return runs, said()


def test_it_plans_everything_and_of_that_makes_the_text_alone(dry_run):
    runs, said = dry_run
    run_dirs = {path.name.split("-")[0] for path in runs.iterdir()}
    assert run_dirs == {"text", "cache", "rehearse"}
    for stage, times in {"train": 1, "prune": 1, "retrain": 2, "evaluate": 4, "compare": 2}.items():
        assert len(re.findall(rf"│ {stage} +│", said)) == times


def test_the_model_is_as_wide_as_the_recipe_whatever_the_text_supports(dry_run):
    _, said = dry_run
    size = RECIPES["tiny"].vocabulary.size
    units = PRESETS["tiny"](1, 1).units
    rows = table_rows(said)
    assert rows["softmax"] == rows["source embedding"] == [f"{size * units:,}"]
    assert rows["6 classes"] == [f"{3 * size * units + 2 * 8 * units**2 + 2 * units**2:,}"]
    # The toy has fewer words than that, and the dry run says so.
    supported = re.search(r"The text supports (\d+) and (\d+) words", said)
    assert EOS < int(supported[1]) < size


def test_steps_are_real(dry_run):
    """Two steps on sentences of the toy: from chance, as weights in [-0.1, 0.1] give it, downwards."""
    _, said = dry_run
    pattern = r"^training: step (\d): (\d+) target words, ([\d.]+) nats per word .* gradient norm ([\d.]+)"
    found = re.findall(pattern, said, re.MULTILINE)
    assert [int(number) for number, *_ in found] == [1, 2]
    losses = [float(nll) for *_, nll, _ in found]
    assert losses[0] == pytest.approx(math.log(RECIPES["tiny"].vocabulary.size), abs=0.05)
    assert losses[1] < losses[0] + 0.01
    assert all(float(gradient) > 0 and int(words) > 64 for _, words, _, gradient in found)
    assert "all padded to 10 x 12" in said  # 10 words and 11, on the even grid of training


def test_the_model_goes_through_every_part(dry_run):
    """One of its phases after the other, and nothing but numbers that follow from its shapes."""
    runs, said = dry_run
    (run_dir,) = runs.glob("rehearse-*")
    result, phases = json.loads((run_dir / "done.json").read_text())["result"], read_series(run_dir)["phases"]
    steps = ["compiling", "first state", "step 1", "step 2"]
    assert [row["phase"] for row in phases] == [
        *(f"training: {step}" for step in steps),
        *(f"pruning 80%, {scheme}" for scheme in ("class_uniform", "class_distribution", "class_blind")),
        "masks applied, class_blind",
        *(f"retraining: {step}" for step in steps),
        "export, float32",
        "reload",
    ]
    assert all(row["seconds"] >= 0 and row["peak_bytes"] > 2**20 for row in phases)
    prunable = int(table_rows(said)["6 classes"][0].replace(",", ""))
    assert result["weights"] == prunable
    assert result["kept_class_blind"] == prunable - round(0.8 * prunable)
    for scheme in ("class_uniform", "class_distribution"):
        assert result[f"kept_{scheme}"] == pytest.approx(0.2 * prunable, rel=0.01)
    assert 3 * result["kept_class_blind"] < result["bytes"] < 2 * result["weights"]
    assert not list(run_dir.glob("*.slim"))


def test_the_papers_model_has_216_million_weights_in_12_classes():
    console, said = recorded()
    see2016_full.show_classes(Seq2Seq(RECIPES["see2016"].model.build(50_000, 50_000)), console)
    rows = table_rows(said())
    assert rows["12 classes"] == ["216,000,000"]
    assert rows["target layer 4"] == ["8,000,000"]
    assert rows["attention"] == ["2,000,000"]
    assert rows["softmax"] == ["50,000,000"]


def test_counted_memory_is_that_of_the_arrays():
    console, said = recorded()
    params = {"a": jax.ShapeDtypeStruct((2**20, 256), "float32"), "b": jax.ShapeDtypeStruct((2**20, 128), "float32")}
    average = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, "bfloat16"), params)
    state = TrainState(None, params, (params, params), average, None)
    see2016_full.show_memory(state, None, console)
    rows = table_rows(said())
    assert rows["parameters (counted)"] == ["1.50"]
    assert rows["optimiser state (counted)"] == ["3.00"]
    assert rows["moving average (counted)"] == ["0.75"]


def test_the_real_run_wants_the_papers_text():
    console, _ = recorded()
    with pytest.raises(ValueError, match=r"'reverse' is not the paper's text.*--dry-run"):
        see2016_full.main(see2016_full.Config(corpus=CorpusConfig("reverse")), Runner(None, console))
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        see2016_full.Config(steps=0)
