"""The config.json of run directories: lineage, and the text that a model was last trained on."""

import pytest

from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.runs.records import lineage, text_dir
from seq2slim.runs.stage import run_name
from seq2slim.stages.prune import Prune
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain
from tests.support.stage_graph import record, recorded_graph


@pytest.fixture
def run_dirs(tmp_path):
    return recorded_graph(tmp_path)


def test_lineage_leads_to_the_text_and_ends_where_a_parent_is_missing(run_dirs):
    by_kind = {stage.kind: run_dir for stage, run_dir in run_dirs.items()}
    chain = [by_kind[kind] for kind in ("retrain", "prune", "train", "text")]
    assert [run_dir for run_dir, _ in lineage(chain[0])] == chain
    assert [record["kind"] for _, record in lineage(chain[0])] == ["retrain", "prune", "train", "text"]
    by_kind["train"].rename(by_kind["train"].with_name("away"))
    assert [run_dir for run_dir, _ in lineage(chain[0])] == chain[:2]


def test_the_text_a_model_learnt_from_last_is_found(run_dirs, tmp_path):
    by_kind = {stage.kind: stage for stage in run_dirs}
    own, text = by_kind["retrain"], run_dirs[by_kind["text"]]
    assert text_dir(run_dirs[own]) == text
    other = Text(by_kind["text"].corpus, VocabularyConfig("words", 5))
    record(other, tmp_path / "runs")
    tuned = Retrain(own, on=other, seed=3)
    record(tuned, tmp_path / "runs")
    further = Prune(tuned, "class_blind", 0.9)
    assert text_dir(record(further, tmp_path / "runs")).name == run_name(other)
    (tmp_path / "runs" / run_name(other)).rename(tmp_path / "away")
    assert text_dir(tmp_path / "runs" / run_name(further)) is None
