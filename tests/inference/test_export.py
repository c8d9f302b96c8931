"""A finished stage's model as one file: what comes back is what the stage has, and translates alike."""

import dataclasses
import json
import shutil
import tracemalloc

import jax
import numpy as np
import pytest

from seq2slim import pruning, storage
from seq2slim.data.vocabulary import Vocabulary, VocabularyConfig
from seq2slim.errors import UserError
from seq2slim.inference.export import export, load_model_file
from seq2slim.inference.model_files import MODEL_CONFIG, Model, load_model, save_model
from seq2slim.inference.text_files import SOURCE_VOCABULARY, TARGET_VOCABULARY, vocabularies
from seq2slim.models import Seq2SeqConfig, param_shapes, weight_classes
from seq2slim.storage import ModelFileError
from seq2slim.tasks import TASKS
from tests.support.reversing import Reversing


def leaves(tree):
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def assert_same_bits(found, expected):
    found, expected = leaves(found), leaves(expected)
    assert found.keys() == expected.keys()
    for name, leaf in expected.items():
        assert (found[name].dtype, found[name].shape, found[name].tobytes()) == (leaf.dtype, leaf.shape, leaf.tobytes())


def drawn(config):
    """Parameters of the right shapes, by numpy: nothing is compiled."""
    generator = np.random.default_rng(0)
    shapes = param_shapes(config)
    return jax.tree.map(lambda leaf: generator.standard_normal(leaf.shape, np.float32), shapes)


@pytest.fixture(scope="module")
def run_dirs(tmp_path_factory):
    """Folders as stages leave them, of a dense and of a pruned model."""
    text = tmp_path_factory.mktemp("text")
    sides = [
        Vocabulary.train([words], VocabularyConfig("words", size=50))
        for words in ("one two three", "eins zwei drei vier")
    ]
    sides[0].save(text / SOURCE_VOCABULARY)
    sides[1].save(text / TARGET_VOCABULARY)
    config = Seq2SeqConfig(len(sides[0]), len(sides[1]), layers=1, units=6, lstm_bias=True)
    params = drawn(config)
    classes = pruning.classes_by_rules(params, weight_classes(config))
    masks = jax.tree.map(
        lambda leaf, name: np.abs(leaf) > 0.8 if name != pruning.NEVER_PRUNED else np.array(True), params, classes
    )
    found = {}
    for name, model in {
        "dense": Model(config, params, None, False),
        "pruned": Model(config, jax.tree.map(lambda w, m: np.where(m, w, np.float32(0)), params, masks), masks, True),
    }.items():
        found[name] = tmp_path_factory.mktemp(name)
        save_model(found[name], model, text)
    return found


@pytest.fixture(scope="module")
def exported(run_dirs, tmp_path_factory):
    """Model file of the pruned model, lossless."""
    path = tmp_path_factory.mktemp("exported") / "model.slim"
    assert export(run_dirs["pruned"], path) == path.stat().st_size
    return path


@pytest.mark.parametrize("name", ["dense", "pruned"])
def test_a_lossless_file_is_the_model_bit_for_bit(run_dirs, tmp_path, name):
    export(run_dirs[name], tmp_path / "model.slim")
    found, expected = load_model_file(tmp_path / "model.slim", limit_bytes=100_000), load_model(run_dirs[name])
    assert (found.model.config, found.model.reverse_source) == (expected.config, expected.reverse_source)
    assert_same_bits(found.model.params, expected.params)
    assert (found.model.masks is None) == (expected.masks is None) == (name == "dense")
    if expected.masks is not None:
        assert_same_bits(found.model.masks, expected.masks)
    assert isinstance(jax.tree.leaves(found.model.params)[0], jax.Array)
    assert [found.source.sha256, found.target.sha256] == [side.sha256 for side in vocabularies(run_dirs[name])]


def test_a_file_has_the_task_of_its_model(run_dirs, tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, Reversing.name, Reversing())
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    save_model(run_dir, load_model(run_dirs["pruned"])._replace(task="reversing"), run_dirs["pruned"])
    export(run_dir, tmp_path / "model.slim")
    assert load_model_file(tmp_path / "model.slim").model.task == "reversing"
    export(run_dirs["pruned"], tmp_path / "other.slim")
    assert load_model_file(tmp_path / "other.slim").model.task == "translation"


def test_a_lossy_file_keeps_the_masks_and_computes_nearly_the_same(run_dirs, tmp_path):
    expected = load_model(run_dirs["pruned"])
    export(run_dirs["pruned"], tmp_path / "int8", "int8")
    found = load_model_file(tmp_path / "int8").model
    assert_same_bits(found.masks, expected.masks)
    source, target = np.array([[4, 5, 6]]), np.array([[2, 5, 6]])
    apply = jax.jit(lambda params: expected.module.apply({"params": params}, source, target))
    logits = [np.asarray(apply(model.params)) for model in (found, expected)]
    assert np.abs(logits[0] - logits[1]).max() > 0
    np.testing.assert_allclose(logits[0], logits[1], atol=0.02 * float(np.abs(logits[1]).max()))


def test_what_is_no_whole_model_is_not_exported(run_dirs, tmp_path):
    with pytest.raises(ValueError, match=r"model\.json is missing"):
        export(tmp_path, tmp_path / "m")
    run_dir = tmp_path / "run"
    shutil.copytree(run_dirs["dense"], run_dir)
    (run_dir / TARGET_VOCABULARY).unlink()
    with pytest.raises(ValueError, match=r"target\.vocabulary is missing"):
        export(run_dir, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def facts(**changes):
    def change(model, files):
        content = json.loads(files[MODEL_CONFIG])
        content["config"] |= changes
        files[MODEL_CONFIG] = json.dumps(content).encode()

    return change


def task(value):
    def change(model, files):
        files[MODEL_CONFIG] = json.dumps(json.loads(files[MODEL_CONFIG]) | {"task": value}).encode()

    return change


def replaced(name, content):
    return lambda model, files: files.update({name: content})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda model, files: files.pop(MODEL_CONFIG), "instead of model.json"),
        (replaced("more", b""), "instead of model.json"),
        (replaced(MODEL_CONFIG, b"{"), "not JSON"),
        (replaced(MODEL_CONFIG, b"{}"), "other fields"),
        (replaced(MODEL_CONFIG, b'{"config": {"units": 3}, "reverse_source": true}'), "model.json: "),
        (facts(layers=10**9), "claims 1000000000 layers"),
        (facts(layers="1"), "wrong type"),
        (facts(units=10**12), "no model that can be built|not those of its"),
        (facts(units=True), "wrong type"),
        (facts(attention=["dot"]), "wrong type"),
        (facts(attention="cosine"), "'cosine'"),
        (facts(colour=1), "other fields"),
        (task("reversing"), "the task in model.json is 'reversing'; there are: translation"),
        (task(["translation"]), "the task in model.json is"),
        (task(None), "the task in model.json is None"),
        (facts(source_vocabulary=9), "parameters are not those"),
        (lambda model, files: [tree.pop("softmax") for tree in model.values()], "parameters are not those"),
        (lambda model, files: model["masks"]["softmax"].update(kernel=np.array(True)), "masks are not those"),
        (replaced(TARGET_VOCABULARY, b"words"), "is no vocabulary file"),
        (replaced(TARGET_VOCABULARY, b"[]\n"), "is no vocabulary file"),
        (replaced(TARGET_VOCABULARY, b'{"format": "seq2slim vocabulary 1"}\n'), "target.vocabulary"),
        (lambda model, files: files.update({TARGET_VOCABULARY: _damaged(files[TARGET_VOCABULARY])}), "damaged"),
    ],
)
def test_a_stranger_s_file_is_checked_against_itself(exported, tmp_path, change, complaint):
    params, masks, files = storage.read(exported)
    change({"params": params, "masks": masks}, files)
    storage.write(tmp_path / "hostile.slim", params, masks, metadata=files)
    with pytest.raises(ModelFileError) as caught:
        load_model_file(tmp_path / "hostile.slim")
    assert any(part in str(caught.value) for part in complaint.split("|")), str(caught.value)


def test_what_is_refused_takes_no_more_memory_than_its_size(exported, tmp_path):
    _, _, files = storage.read(exported)
    kernel = np.zeros((2000, 4000), np.float32)  # 32 MB, of which a file holds next to nothing
    hostile = {
        "parameters are not those": ({"softmax": {"kernel": kernel}}, files),
        "too many for a file": ({"softmax": {"kernel": kernel[:1]}}, files | {TARGET_VOCABULARY: bytes(1 << 26)}),
    }
    for complaint, (params, blobs) in hostile.items():
        size = storage.write(tmp_path / "hostile.slim", params, metadata=blobs)
        tracemalloc.start()
        try:
            with pytest.raises(ModelFileError, match=complaint):
                load_model_file(tmp_path / "hostile.slim")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 2 * size + (16 << 20)


def test_a_vocabulary_that_no_reader_takes_is_not_written(run_dirs, tmp_path, monkeypatch):
    monkeypatch.setattr("seq2slim.inference.export._room", lambda size: 8)
    with pytest.raises(ValueError, match="too large for a model file"):
        export(run_dirs["dense"], tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_vocabulary_of_another_size_is_refused(exported, tmp_path):
    _, _, files = storage.read(exported)
    config = dataclasses.replace(load_model_file(exported).model.config, target_vocabulary=9)
    files[MODEL_CONFIG] = json.dumps({"config": dataclasses.asdict(config), "reverse_source": True}).encode()
    params = drawn(config)
    storage.write(tmp_path / "other.slim", params, metadata=files)
    with pytest.raises(ModelFileError, match=r"target\.vocabulary has .* words; the model has 9"):
        load_model_file(tmp_path / "other.slim")


def test_damage_and_limits_are_refused(exported, tmp_path):
    content = bytearray(exported.read_bytes())
    content[-1] ^= 1
    (tmp_path / "damaged.slim").write_bytes(content)
    with pytest.raises(ModelFileError, match="SHA-256"):
        load_model_file(tmp_path / "damaged.slim")
    with pytest.raises(ModelFileError, match="limit"):
        load_model_file(exported, limit_bytes=1000)


def _damaged(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(("codec", "weight"), [("float16", 1e5), ("int8", np.inf), ("codebook16", np.nan)])
def test_weights_that_a_codec_cannot_hold_are_a_user_error(run_dirs, tmp_path, codec, weight):
    run_dir = shutil.copytree(run_dirs["dense"], tmp_path / "run")
    model = load_model(run_dir)
    model.params["softmax"]["kernel"] = model.params["softmax"]["kernel"].at[0, 0].set(weight)
    save_model(run_dir, model, run_dir)
    with pytest.raises(UserError, match=r"leaf 'softmax/kernel': .*choose float32"):
        export(run_dir, tmp_path / "model.slim", codec)
    assert not (tmp_path / "model.slim").exists()
