"""Rows by seed, their means and differences, and the noise between seeds."""

import math

import pytest

from experiments.see2016 import claims
from experiments.see2016.evidence import Claim, Evidence, judge
from experiments.see2016.rows import BASELINE, CONTROL, Difference, Rows, better_dense, noise, retrained
from seq2slim.evaluation.statistics import Noise
from tests.support.made_up_rows import BASE, bleu, fig6, rows_of


def test_values_are_taken_seed_by_seed():
    rows = Rows(rows_of("x", *BASE, *bleu("retrained", 80, 31.0, 31.4)))
    assert rows.by_seed("beam_bleu", **retrained(80.0)) == {1: 31.0, 2: 31.4}
    assert rows.differences("beam_bleu", retrained(80.0), BASELINE) == pytest.approx([1.0, 1.2])
    assert rows.curve("beam_bleu", model="retrained") == [(80.0, pytest.approx(31.2), pytest.approx(0.2 * 2**0.5))]
    assert rows.spread("beam_bleu", model="sparse") is None


def test_what_has_one_seed_is_read_of_the_first_should_there_be_more():
    lines = [
        {"model": model, "codec": "float32", "percent": 0.0, "deflated_bytes": size, "ratio": 5.0, "seed": seed}
        for seed in (2, 1)
        for model, size in (("baseline", 10 * seed), ("retrained", 2 * seed))
    ]
    rows = Rows(rows_of("storage", *lines) + fig6((30.5, 30.7, 30.3)))
    assert {row["seed"] for row in rows.of_experiment("storage").rows} == {1}
    assert {row["seed"] for row in rows.of_experiment("fig6_retraining").rows} == {1, 2, 3}
    assert judge(Claim("", "", "", "storage", claims.file_shrinks), Evidence(rows, {}))["here"].endswith(" (seed 1)")
    assert rows.repeated(model="retrained") == [80.0, 90.0]
    later = rows_of("storage", *({**line, "seed": line["seed"] + 1} for line in lines))
    rows = Rows(later + fig6((30.5, 30.7, 30.3)))
    shown = judge(Claim("", "", "", "storage", claims.file_shrinks), Evidence(rows, {}))["here"]
    assert shown.endswith(" (seed 2)")


def test_noise_is_pooled_over_all_that_was_repeated():
    rows = Rows(rows_of("x", *BASE, *bleu("control", 0, 31, 31.4, 30.6), *bleu("retrained", 80, 30.0, 31.0)))
    differences = [[1.0, 1.2, 0.8], [0.0, 0.8]]
    squares = sum((d - sum(own) / len(own)) ** 2 for own in differences for d in own)
    assert noise(rows).deviation == pytest.approx(math.sqrt(squares / 3))
    assert better_dense(rows) == "control"
    assert CONTROL["model"] == "control"


@pytest.mark.parametrize(
    ("mean", "above", "below", "not_below"),
    [(1.5, True, False, True), (0.5, None, None, None), (-0.5, None, None, None), (-1.5, False, True, False)],
)
def test_where_noise_is_not_known_a_small_difference_decides_nothing(mean, above, below, not_below):
    found = Difference([mean], None)
    assert (found.above(), found.below(), found.not_below()) == (above, below, not_below)
    assert "noise" not in str(found)


@pytest.mark.parametrize(
    ("mean", "width", "above", "below", "not_below"),
    [
        (0.5, 0.2, True, False, True),
        (-0.5, 0.2, False, True, False),
        (-0.1, 0.2, False, False, True),
        (-0.1, 3.0, None, None, None),
        (-5.0, 3.0, False, True, False),
        (5.0, 3.0, True, False, True),
    ],
)
def test_a_difference_within_wide_noise_decides_nothing(mean, width, above, below, not_below):
    quantile = math.tan(0.475 * math.pi)  # of t with 1 degree of freedom, the Cauchy distribution, at 97.5%
    found = Difference([mean], Noise(width / quantile, 1))
    assert found.width == pytest.approx(width)
    assert (found.above(), found.below(), found.not_below()) == (above, below, not_below)
    assert ("noise" in str(found)) == (abs(mean) < width)
