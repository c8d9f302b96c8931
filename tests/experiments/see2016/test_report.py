"""The report of the study on made-up rows."""

import importlib

from experiments.see2016 import claims, see2016
from experiments.see2016 import report as study_report
from experiments.see2016.rows import Rows
from seq2slim.runs import results
from tests.support.made_up_rows import HOLDS, NOT_RUN, fig6


def test_every_experiment_has_a_section_and_its_own_claim():
    assert list(study_report.SECTIONS) == list(see2016.EXPERIMENTS)
    for name in see2016.EXPERIMENTS:
        module = importlib.import_module(f"experiments.see2016.{name}")
        assert module.entries is see2016.EXPERIMENTS[name]
        assert study_report.claim_of(name) == module.__doc__.splitlines()[0]


def test_it_says_what_was_not_run_and_is_the_same_twice(tmp_path):
    rows = [row | {"signature": "s"} for row in fig6((30.5, 30.7, 30.3))]
    for row in rows:
        row |= {"greedy_bleu": 1.0, "valid_perplexity": 2.0, "train_perplexity": 2.0}
    results.store(rows, {}, tmp_path / "rows")
    texts = []
    for folder in ("one", "two"):
        paths = study_report.write(*results.published(tmp_path / "rows"), tmp_path / folder)
        texts.append({path.name: path.read_bytes() for path in paths})
    assert texts[0] == texts[1]
    lines = texts[0]["report.md"].decode().splitlines()
    table = {tuple(cell.strip() for cell in line.split("|")[1:3]): line for line in lines if line.startswith("| ")}
    for claim in claims.CLAIMS:
        expected = NOT_RUN if claim.experiment != "fig6_retraining" else ""
        assert expected in table[claim.where, claim.claim]
    assert HOLDS in table["fig. 6", "retrained, at least the baseline up to 80%"]
    assert "30.50 ± 0.20" in table["fig. 6", "80% retrained is better than the baseline"]
    assert "[fig6_retraining](toy-fig6_retraining.svg)" in table["abstract", "80% goes with no loss at all"]
    assert "WARNING" not in "\n".join(lines)


def test_rows_of_other_settings_among_them_are_reported():
    rows = fig6((30.5, 30.7, 30.3))
    rows[0]["baseline"] = "another"
    assert "rows of seed 1 stand on different baselines" in study_report._warning(Rows(rows))
