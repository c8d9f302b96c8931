"""The rows of figure 6, per seed and corpus."""

from experiments.see2016 import fig6_retraining
from seq2slim.data.corpora import CorpusConfig
from seq2slim.stages.evaluate import Evaluate
from seq2slim.stages.train import Retrain, Train
from tests.support.toy_study import config


def trainings(entries):
    """Evaluated trainings, by kind of row: model -> percentages."""
    found = {}
    for entry in entries:
        if isinstance(entry.stage, Evaluate) and isinstance(entry.stage.parent, Train | Retrain):
            found.setdefault(entry.columns["model"], []).append(entry.columns["percent"])
    return found


def test_of_the_first_seed_all_rows_of_others_the_headline_ones():
    assert trainings(fig6_retraining.entries(config(), 1)) == {
        "baseline": [0], "control": [0], "retrained": [40, 50, 60, 80, 90], "sparse": [50, 80, 90],
        "ticket": [80, 90], "shuffled": [80, 90],
    }  # fmt: skip
    for seed in (2, 3):
        assert trainings(fig6_retraining.entries(config(), seed)) == {
            "baseline": [0], "control": [0], "retrained": [40, 60, 80, 90], "sparse": [80],
        }  # fmt: skip


def test_a_second_corpus_has_the_headline_rows_of_the_first_seed(tmp_path):
    lines = {side: tmp_path / side for side in ("a", "b")}
    for path in lines.values():
        path.write_text("x y\n")
    second = CorpusConfig("text", *([(str(lines["a"]), str(lines["b"]))] * 3))
    for seed, expected in ((1, {"baseline": [0], "control": [0], "retrained": [80, 90]}), (2, {})):
        made = fig6_retraining.entries(config(headline=second), seed)
        assert trainings([e for e in made if e.columns["part"] == "headline"]) == expected
