"""Run folders and .slim files of seq2slim 0.1.0 are still read (fixtures/formats/README.md)."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest

import seq2slim
from seq2slim.inference.export import load_model_file
from seq2slim.inference.model_files import load_config, load_model
from seq2slim.inference.text_files import tokenised, vocabularies
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import identity, run_name
from seq2slim.stages.rebuild import stage_of
from seq2slim.storage import CODECS

FORMATS = Path(__file__).parent / "fixtures" / "formats"
EXPECTED = json.loads((FORMATS / "expected.json").read_text(encoding="utf-8"))
RUN_DIRS, FILES, UNFINISHED = EXPECTED["run_folders"], EXPECTED["models"], EXPECTED["unfinished"]
MODELS = [name for name, facts in RUN_DIRS.items() if "params_sha256" in facts]


class Old(NamedTuple):
    """Copies that may be written to."""

    runs: Path
    models: Path

    def run_dir(self, kind: str) -> Path:
        """The one run folder of a kind."""
        (name,) = (name for name, facts in RUN_DIRS.items() if facts["kind"] == kind)
        return self.runs / name


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """Nothing is read from, or written to, a person's own runs folder. Little is computed: XLA need not optimise."""
    folder = tmp_path_factory.mktemp("old")
    shutil.copytree(FORMATS / "run_folders", folder / "runs")
    shutil.copytree(FORMATS / "models", folder / "models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQ2SLIM_RUNS", str(folder / "runs"))
        usual = jax.config.read("jax_disable_most_optimizations")
        jax.config.update("jax_disable_most_optimizations", True)
        yield Old(folder / "runs", folder / "models")
        jax.config.update("jax_disable_most_optimizations", usual)


def sha256(tree) -> str:
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree))).hexdigest()


def assert_as_it_was(model, expected):
    """Bit for bit the parameters and the masks."""
    assert {np.asarray(leaf).dtype for leaf in jax.tree.leaves(model.params)} == {np.dtype(np.float32)}
    assert sha256(model.params) == expected["params_sha256"]
    assert (model.masks is not None) == ("masks_sha256" in expected)
    assert sum(int((~np.asarray(mask)).sum()) for mask in jax.tree.leaves(model.masks)) == expected["pruned"]
    if model.masks is not None:
        assert sha256(model.masks) == expected["masks_sha256"]


def assert_translates_as_it_did(path, expected):
    model = seq2slim.load(path)
    assert model.translate(EXPECTED["sentences"], beam=1) == expected["translations"]["greedy"]
    assert model.translate(EXPECTED["sentences"], beam=3) == expected["translations"]["beam 3"]


def test_the_fixtures_are_all_here():
    assert sorted(path.name for path in (FORMATS / "run_folders").iterdir()) == sorted(RUN_DIRS)
    assert sorted(path.name for path in (FORMATS / "models").iterdir()) == sorted(FILES)
    assert {f"{codec}.slim" for codec in ("float32", "float16", "int8", "codebook16", "codebook256")} == set(FILES)
    assert {Path(name).stem for name in FILES} <= set(CODECS)


@pytest.mark.parametrize("name", RUN_DIRS)
def test_a_stage_is_rebuilt_and_counts_as_finished(old, name):
    stage, expected = stage_of(old.runs / name), RUN_DIRS[name]
    assert (stage.kind, identity(stage), run_name(stage)) == (expected["kind"], expected["identity"], name)
    runner = Runner(old.runs)
    assert runner.run_dir(stage) == old.runs / name
    planned = runner.plan(stage, show=False)
    assert [step.state for step in planned] == (["cached"] if expected["finished"] else ["cached", "resumes"])
    assert runner.is_finished(stage) == expected["finished"]
    if expected["finished"]:
        assert runner.result(stage) == expected["result"]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_a_run_folder_is_read(old, name):
    model = load_model(old.runs / name, pytest.fail)
    assert_as_it_was(model, RUN_DIRS[name])
    assert model.config == load_config(old.runs / name)
    assert model.reverse_source
    assert [len(side) for side in vocabularies(old.runs / name)] == [16, 16]


@pytest.mark.parametrize("name", FILES)
def test_a_model_file_is_read(old, name):
    whole = load_model_file(old.models / name)
    assert_as_it_was(whole.model, FILES[name])
    assert whole.model.config == load_config(old.run_dir("retrain"))
    assert [side.decode([7, 9]) for side in whole[1:]] == [
        side.decode([7, 9]) for side in vocabularies(old.run_dir("retrain"))
    ]


def test_the_lossless_file_is_the_model():
    retrained = next(facts for facts in RUN_DIRS.values() if facts["kind"] == "retrain")
    assert FILES["float32.slim"]["params_sha256"] == retrained["params_sha256"]
    assert len({facts["masks_sha256"] for facts in FILES.values()}) == 1


def test_a_run_folder_translates(old):
    assert_translates_as_it_did(old.run_dir("retrain"), RUN_DIRS[old.run_dir("retrain").name])


@pytest.mark.parametrize("name", FILES)
def test_a_model_file_translates(old, name):
    assert_translates_as_it_did(old.models / name, FILES[name])


@pytest.mark.parametrize("kind", ["text", "retold"])
def test_token_ids_are_read(old, kind):
    corpus, result = tokenised(old.run_dir(kind)), RUN_DIRS[old.run_dir(kind).name]["result"]
    assert {split: dict(corpus[split].counts) for split in result} == result
    source, target = vocabularies(old.run_dir(kind))
    first = corpus["test"]
    assert source.decode(first.source[0]).split() == target.decode(first.target[0]).split()[::-1]


def test_an_interrupted_training_goes_on_from_its_save(old, capsys):
    run_dir, expected = old.runs / UNFINISHED, EXPECTED["resumed"]
    before = (run_dir / "metrics.jsonl").read_bytes()
    runner, stage = Runner(old.runs), stage_of(run_dir)
    assert runner.run(stage) == [run_dir]
    assert f"resuming from step {expected['from_step']} of 30" in capsys.readouterr().out
    assert runner.done(stage)["resumed"]
    assert runner.result(stage) == expected["result"]
    after = (run_dir / "metrics.jsonl").read_bytes()
    assert after.startswith(before)
    (loss,) = (row["valid_loss"] for row in map(json.loads, after.splitlines()[-1:]))
    assert loss == pytest.approx(expected["valid_loss"], rel=1e-3)
