"""Stages of the pruning study on a real, hardly trained tiny model, against plain numpy."""

import math
from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy import stats

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.inference import text_files
from seq2slim.inference.model_files import load_model
from seq2slim.models import ModelOptions, init_params
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.special_ids import BOS, EOS, PAD
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.perplexity import Perplexity
from seq2slim.stages.prune import Prune
from seq2slim.stages.redundancy import Redundancy, by_frequency, load_series, pack, unpack
from seq2slim.stages.text import Text
from seq2slim.stages.train import Train
from seq2slim.training.config import TrainingConfig
from tests.support.numpy_seq2seq import translate

SEED = 4


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    return Runner(tmp_path_factory.mktemp("runs"), Console())


@pytest.fixture(scope="module")
def baseline(runner, tmp_path_factory):
    """Trained for two steps on sentences of one length: c is frequent, z comes once."""
    folder = tmp_path_factory.mktemp("corpus")
    lines = {"train": ["a c c", "b c c", "c c a", "c b c"] * 8 + ["z c a"], "valid": ["a b c"] * 4, "test": ["b"] * 2}
    for split, own in lines.items():
        for side in ("source", "target"):
            (folder / f"{split}.{side}").write_text("".join(f"{line}\n" for line in own))
    pairs = ((str(folder / f"{split}.source"), str(folder / f"{split}.target")) for split in lines)
    text = Text(CorpusConfig("text", *pairs), VocabularyConfig("words", 20))
    training = TrainingConfig(max_steps=2, batch_size=16, shapes=1, keep="last")
    stage = Train(text, ModelOptions("tiny", units=6), training, seed=SEED)
    runner.run(stage)
    return stage


def arrays(tree):
    """Path -> numpy array."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def model(runner, stage):
    runner.run(stage)
    return load_model(runner.run_dir(stage))


def test_one_class_alone_goes_as_far_as_the_scheme_takes_it(runner, baseline):
    whole = arrays(model(runner, Prune(baseline, "class_blind", 0.7)).masks)
    alone = model(runner, stage := Prune(baseline, "class_blind", 0.7, only="target layer 1"))
    dense = arrays(load_model(runner.run_dir(baseline)).params)
    for path, mask in arrays(alone.masks).items():
        assert (mask == whole[path]).all() if path == "decoder/layer_1/kernel" else mask.all(), path
        np.testing.assert_array_equal(arrays(alone.params)[path], np.where(mask, dense[path], 0))
    assert not arrays(alone.masks)["decoder/layer_1/kernel"].all()
    (row,) = (row for row in runner.result(stage)["classes"] if row["name"] == "target layer 1")
    gone = ~whole["decoder/layer_1/kernel"]
    assert row["kept"] == (~gone).sum()
    assert row["largest_removed"] == pytest.approx(np.abs(dense["decoder/layer_1/kernel"][gone]).max())


def test_a_class_that_there_is_not_is_named(runner, baseline):
    with pytest.raises(
        ValueError, match=r"only must be one of \['attention', .*'target layer 1'\], got 'target layer 2'"
    ):
        runner.run(Prune(baseline, only="target layer 2"))


def test_shuffled_masks_take_as_much_of_each_class_elsewhere(runner, baseline):
    ordered, shuffled = (model(runner, Prune(baseline, sparsity=0.7, shuffled=s)) for s in (False, True))
    one, other = arrays(ordered.masks), arrays(shuffled.masks)
    assert {path: mask.sum() for path, mask in one.items()} == {path: mask.sum() for path, mask in other.items()}
    assert all((one[path] != other[path]).any() for path in one)


def test_random_masks_ignore_magnitude(runner, baseline):
    dense, masks = (
        arrays(load_model(runner.run_dir(baseline)).params),
        arrays(model(runner, Prune(baseline, "random", 0.7)).masks),
    )
    gone = np.concatenate([np.abs(dense[path][~mask]) for path, mask in masks.items()])
    kept = np.concatenate([np.abs(dense[path][mask]) for path, mask in masks.items()])
    assert len(gone) == round(0.7 * (len(gone) + len(kept)))
    assert np.mean(gone) == pytest.approx(np.mean(kept), rel=0.1)


@pytest.mark.parametrize(("seed", "original"), [(SEED, True), (SEED + 1, False)])
def test_training_under_masks_starts_from_its_own_seed_and_never_leaves_them(runner, baseline, seed, original):
    pruned = Prune(baseline, sparsity=0.7)
    masks = arrays(model(runner, pruned).masks)
    still = TrainingConfig(max_steps=2, batch_size=16, shapes=1, keep="last")
    found = model(runner, Train(baseline.text, baseline.model, still, seed=seed, masks=pruned))
    assert all((arrays(found.masks)[path] == mask).all() for path, mask in masks.items())
    start = arrays(init_params(found.config, jax.random.fold_in(jax.random.key(SEED), 0)))
    for path, leaf in arrays(found.params).items():
        assert (leaf[~masks[path]] == 0).all()
        moved = np.abs(leaf - start[path])[masks[path]]
        # Two steps of Adam at its warm-up go a few hundredths at most; another draw in [-0.1, 0.1] is farther away.
        assert (moved.max() < 0.02) == original, path
        assert moved.max() > 0


def test_a_dense_model_has_no_masks_to_train_under(runner, baseline):
    with pytest.raises(ValueError, match="is dense"):
        runner.run(Train(baseline.text, baseline.model, baseline.training, seed=9, masks=baseline))


def test_perplexity_is_that_of_a_plain_loop(runner, baseline):
    pruned = model(runner, stage := Prune(baseline, sparsity=0.7))
    runner.run(alone := Perplexity(stage))
    found = runner.result(alone)
    source, target = (v.encode("a b c") for v in text_files.vocabularies(runner.run_dir(baseline.text)))
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), pruned.params)
    logits, _ = translate(params, pruned.config, source[::-1], [BOS, *target])
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nll = -log_probs[np.arange(4), [*target, EOS]].sum()  # all four sentences of valid are the same
    assert found["perplexity"] == pytest.approx(math.exp(nll / 4), rel=1e-4)
    assert found["tokens"] == 4 * 4
    assert found["sparsity"] == pytest.approx(0.7, abs=1e-3)


@pytest.fixture(scope="module")
def redundancy(runner, baseline):
    """(masks, row, series)."""
    runner.run(stage := Redundancy(pruned := Prune(baseline, sparsity=0.7)))
    return load_model(runner.run_dir(pruned)).masks, runner.result(stage), load_series(runner.run_dir(stage))


class TestRedundancy:
    def test_classes_and_gates_are_counted(self, redundancy):
        masks, _, series = redundancy
        named = {
            "attention": "attention/kernel", "softmax": "softmax/kernel",
            "source layer 1": "encoder/layer_1/forward/kernel", "target layer 1": "decoder/layer_1/kernel",
            "source embedding": "source_embedding/embedding", "target embedding": "target_embedding/embedding",
        }  # fmt: skip
        densities = {name: arrays(masks)[path].mean() for name, path in named.items()}
        assert series["class_density"] == pytest.approx(densities)
        for line in series["gate_density"]:
            kernel = arrays(masks)[named[line["matrix"]]]
            rows = slice(0, 6) if line["part"] == "feed-forward" else slice(6, 12)
            first = 6 * ["i", "f", "o", "h-hat"].index(line["gate"])
            block = kernel[rows, first : first + 6]
            assert line["density"] == pytest.approx(block.mean())
            assert line["diagonal"] == pytest.approx(np.diag(block).mean())
            assert line["off"] == pytest.approx(block[~np.eye(6, dtype=bool)].mean())
        assert [line["matrix"] for line in series["gate_density"]] == ["source layer 1"] * 8 + ["target layer 1"] * 8

    def test_words_are_ordered_by_how_often_they_occur(self, runner, baseline, redundancy):
        masks, row, series = redundancy
        source, _ = text_files.vocabularies(runner.run_dir(baseline.text))
        order = [source.encode(word)[0] for word in "cabz"]  # 65, 17, 16 and 1 times
        embedding = np.asarray(masks["source_embedding"]["embedding"])
        shown = unpack(series["maps"]["source embedding"])
        np.testing.assert_array_equal(shown[:, :4], embedding[order].T)
        assert row["source_words"] == 4
        assert row["source_dead"] == sum(not embedding[word].any() for word in order)

    def test_maps_are_the_masks(self, redundancy):
        masks, _, series = redundancy
        kernel = arrays(masks)["decoder/layer_1/kernel"]
        np.testing.assert_array_equal(unpack(series["maps"]["target layer 1"]), kernel)


def test_dead_words_and_unseen_ones_are_told_apart():
    counts = np.array([0, 2, 0, 0, 50, 0, 30, 1, 1])  # PAD, UNK, BOS, EOS, then five words; 5 never occurs
    mask = np.zeros((9, 4), bool)
    mask[4], mask[6, :2], mask[1, :2], mask[7, 0] = True, True, True, True
    found = by_frequency(mask, counts)
    assert list(found.order) == [4, 6, 1, 7, 8, 5]
    assert found.row["words"] == 5
    assert (found.row["dead"], found.row["unseen"], found.row["unseen_dead"]) == (1, 1, 1)
    assert found.row["dead_rank"] == pytest.approx(0.8)  # the fifth of six
    assert found.row["rank_correlation"] < -0.9
    assert found.series == {"rank": [1, 2, 3, 4, 5, 6], "density": [1, 0.5, 0.5, 0.25, 0, 0], "dead": [0] * 4 + [1, 0]}
    assert math.isnan(by_frequency(np.ones((9, 4), bool), counts).row["rank_correlation"])


def test_words_of_one_frequency_share_their_rank():
    rng = np.random.default_rng(3)
    counts = rng.integers(1, 4, size=60)  # three frequencies among 57 words
    mask = rng.random((60, 8)) < 0.2 + 0.1 * counts[:, None]
    words = np.setdiff1d(np.arange(60), [PAD, BOS, EOS])
    expected = stats.spearmanr(-counts[words], mask[words].mean(axis=1)).statistic
    places = stats.spearmanr(np.argsort(np.argsort(-counts[words])), mask[words].mean(axis=1)).statistic
    assert abs(expected - places) > 0.01  # words of one frequency in the order of their ids would be another number
    assert by_frequency(mask, counts).row["rank_correlation"] == pytest.approx(expected)


def test_the_gates_told_apart_are_those_of_an_lstm(runner, baseline):
    gru = replace(baseline, model=replace(baseline.model, cell="gru"), training=replace(baseline.training, max_steps=1))
    with pytest.raises(ValueError, match=r"those of an LSTM; prune-\w+ is a gru"):
        runner.run(Redundancy(Prune(gru, sparsity=0.5)))


def test_packed_maps_come_back_whole_and_damaged_ones_do_not():
    mask = np.random.default_rng(0).random((7, 13)) < 0.3
    np.testing.assert_array_equal(unpack(pack(mask)), mask)
    with pytest.raises(ValueError, match=r"\[7, 33\]"):
        unpack(pack(mask) | {"shape": [7, 33]})
    with pytest.raises(ValueError, match="or more"):
        unpack(pack(np.zeros((1000, 1000), bool)) | {"shape": [7, 13]})


@pytest.mark.parametrize("other", [{"split": "valid"}, {"tokenize": "none"}])
def test_only_what_was_evaluated_alike_is_compared(other):
    model = Train(Text(CorpusConfig("reverse")))
    with pytest.raises(ValueError, match="on one split, by one tokenizer"):
        Compare(Evaluate(model), Evaluate(model, **other))
