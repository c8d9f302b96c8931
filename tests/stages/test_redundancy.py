"""Densities of classes, gates and words, counted in plain numpy."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from seq2slim.inference import text_files
from seq2slim.inference.model_files import load_model
from seq2slim.runs.records import read_series
from seq2slim.special_ids import BOS, EOS, PAD
from seq2slim.stages.prune import Prune
from seq2slim.stages.redundancy import Redundancy, by_frequency, pack, unpack
from tests.support.pruning_chain import arrays


@pytest.fixture(scope="module")
def redundancy(runner, baseline):
    """(masks, row, series)."""
    runner.run(stage := Redundancy(pruned := Prune(baseline, sparsity=0.7)))
    return load_model(runner.run_dir(pruned)).masks, runner.result(stage), read_series(runner.run_dir(stage))


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


def test_dead_words_are_counted_apart_from_unseen_ones():
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


def test_gates_are_measured_for_lstms_only(runner, baseline):
    gru = replace(baseline, model=replace(baseline.model, cell="gru"), training=replace(baseline.training, max_steps=1))
    with pytest.raises(ValueError, match=r"LSTMs only; prune-\w+ is a gru"):
        runner.run(Redundancy(Prune(gru, sparsity=0.5)))


def test_packed_maps_come_back_whole_and_damaged_ones_do_not():
    mask = np.random.default_rng(0).random((7, 13)) < 0.3
    np.testing.assert_array_equal(unpack(pack(mask)), mask)
    with pytest.raises(ValueError, match=r"\[7, 33\]"):
        unpack(pack(mask) | {"shape": [7, 33]})
    with pytest.raises(ValueError, match="or more"):
        unpack(pack(np.zeros((1000, 1000), bool)) | {"shape": [7, 13]})
