"""A model on disk: comes back bit for bit, and a damaged one is found out and made again from its stage's saves."""

import json
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import numpy as np
import pytest

from experiments import prune80
from seq2slim import pruning
from seq2slim.errors import Damaged, UserError
from seq2slim.inference.model_files import Model, load_model, save_model
from seq2slim.models import Seq2SeqConfig, init_params, weight_classes
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import Stage
from seq2slim.stages.text import Text
from seq2slim.stages.train import Train
from seq2slim.tasks import TASKS
from tests.support.drill import arrays, assert_same_bits
from tests.support.reversing import Reversing


@dataclass(frozen=True)
class Reader(Stage):
    """A stage that reads its parent's model."""

    kind: ClassVar[str] = "reader"
    parent: Stage

    def run(self, run_dir, context):
        load_model(context.run_dir(self.parent), context.say)


CONFIG = Seq2SeqConfig(
    9, 8, layers=1, units=6, attention="general", input_feeding=True, bidirectional=True, lstm_bias=True,
    output_bias=True, dropout=0.25,
)  # fmt: skip


@pytest.fixture(scope="module")
def params():
    return jax.jit(partial(init_params, CONFIG))(jax.random.key(0))


def made(params, pruned):
    if not pruned:
        return Model(CONFIG, params, None, False)
    masks = pruning.class_blind(params, sparsity=0.6, classes=pruning.classes_by_rules(params, weight_classes(CONFIG)))
    return Model(CONFIG, pruning.apply_masks(params, masks), masks, True)


def leaves(tree):
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


@pytest.fixture
def text_dir(tmp_path):
    run_dir = tmp_path / "text"
    run_dir.mkdir()
    for side in ("source", "target"):
        (run_dir / f"{side}.vocabulary").write_text(f"words of the {side}\n")
    return run_dir


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_text_in_other_words_is_refused(tmp_path, text_dir, params, side):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    save_model(run_dir, made(params, False), text_dir)
    load_model(run_dir, text_dir=text_dir)
    (text_dir / f"{side}.vocabulary").write_text("as many other words\n")
    with pytest.raises(ValueError, match=f"the {side} vocabulary of text is not that of run"):
        load_model(run_dir, text_dir=text_dir)


@pytest.mark.parametrize("pruned", [False, True])
def test_comes_back_bit_for_bit(tmp_path, text_dir, params, pruned):
    model, run_dir = made(params, pruned), tmp_path / "run"
    run_dir.mkdir()
    save_model(run_dir, model, text_dir)
    back = load_model(run_dir)
    assert (back.config, back.reverse_source) == (model.config, model.reverse_source)
    assert_same_bits(leaves(back.params), leaves(model.params))
    assert (back.masks is None) is not pruned
    if pruned:
        assert_same_bits(leaves(back.masks), leaves(model.masks))
        assert back.masks["softmax"]["bias"].shape == ()  # never pruned
    for side in ("source", "target"):  # it is complete without the run directory of its text
        assert (run_dir / f"{side}.vocabulary").read_text() == f"words of the {side}\n"


def test_only_a_task_other_than_translation_is_written(tmp_path, text_dir, params, monkeypatch):
    """Models of translation keep the files that they had before there were tasks."""
    monkeypatch.setitem(TASKS, Reversing.name, Reversing())
    model = made(params, pruned=False)
    save_model(tmp_path, model, text_dir)
    assert set(json.loads((tmp_path / "model.json").read_text())) == {"config", "reverse_source"}
    assert load_model(tmp_path).task == "translation"
    save_model(tmp_path, model._replace(task="reversing"), text_dir)
    assert json.loads((tmp_path / "model.json").read_text())["task"] == "reversing"
    assert load_model(tmp_path).task == "reversing"
    monkeypatch.delitem(TASKS, Reversing.name)
    with pytest.raises(UserError, match="task: got 'reversing'; there are: translation") as caught:
        load_model(tmp_path)
    assert not isinstance(caught.value, Damaged)  # making it again would not help


def test_a_run_directory_without_a_model_is_reported(tmp_path):
    with pytest.raises(ValueError, match=r"holds no model: model\.json is missing"):
        load_model(tmp_path)


@pytest.fixture
def copied(smoke, tmp_path, monkeypatch):
    """The finished run in a folder of its own, and its baseline stage."""
    copy = smoke.copy(tmp_path / "runs")
    monkeypatch.setenv("SEQ2SLIM_RUNS", str(copy.runs))
    config = prune80.smoke(prune80.Config())
    recipe = config.settings
    text = Text(config.corpus, recipe.vocabulary, recipe.max_length)
    stage = Train(text, recipe.model, recipe.training, recipe.reverse_source, config.seed)
    assert Runner(copy.runs).run_dir(stage) == copy.run_dir("baseline")
    return copy, stage


def test_a_flipped_byte_is_found_out_and_the_model_made_again(copied, smoke):
    copy, stage = copied
    run_dir, expected = copy.run_dir("baseline"), arrays(smoke.run_dir("baseline"), "model")
    steps = (run_dir / "metrics.jsonl").read_bytes()
    data = max(
        (path for path in (run_dir / "model").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)

    reported = []
    with pytest.raises(Damaged, match=r"is damaged .* remove .*done\.json and run its experiment again"):
        load_model(run_dir, reported.append)
    assert data.name in reported[0]
    assert (run_dir / "done.json").exists()  # reading changes nothing
    runner = Runner(copy.runs)
    with pytest.raises(Damaged):
        runner.run(Reader(stage))
    assert not runner.is_finished(stage)

    runner.run(stage)
    assert_same_bits(arrays(run_dir, "model"), expected)
    assert_same_bits(leaves(load_model(run_dir).params), leaves(load_model(smoke.run_dir("baseline")).params))
    assert (run_dir / "metrics.jsonl").read_bytes() == steps  # from its saves: no step was taken again
    assert json.loads((run_dir / "done.json").read_text())["resumed"]


def test_the_loss_of_a_whole_model_folder_is_damage_too(copied):
    copy, _ = copied
    run_dir = copy.run_dir("retrained")
    (run_dir / "model").rename(run_dir / "elsewhere")
    with pytest.raises(Damaged):
        load_model(run_dir)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"config": {"units": -1}, "reverse_source": true}', "CONFIG"])
def test_a_model_json_that_is_not_what_was_written_is_damage(tmp_path, text_dir, params, content):
    save_model(tmp_path, made(params, pruned=False), text_dir)
    if content == "CONFIG":  # whole, but nothing says how the source is read
        content = json.dumps({"config": json.loads((tmp_path / "model.json").read_text())["config"]})
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(Damaged, match=r"model\.json"):
        load_model(tmp_path)
