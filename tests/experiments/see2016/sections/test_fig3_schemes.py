"""Schemes are compared with class-blind seed by seed."""

import math

import pytest

from experiments.see2016 import sections
from experiments.see2016.rows import Rows
from tests.support.made_up_rows import bleu, rows_of


def test_schemes_are_shown_against_class_blind():
    lines = []
    for x, blind, uniform in ((40, (30, 31), (29, 30.5)), (80, (20,), (21,))):
        lines += bleu("pruned", x, *blind, scheme="class_blind") + bleu("pruned", x, *uniform, scheme="class_uniform")
    found = sections.fig3_schemes.above_class_blind(Rows(rows_of("fig3_schemes", *lines)))
    assert found["class-blind"] == [(40, 0, 0), (80, 0, pytest.approx(math.nan, nan_ok=True))]
    (low, mean, deviation), (high, above, _) = found["class-uniform"]
    assert (low, mean, deviation) == (40, pytest.approx(-0.75), pytest.approx(math.sqrt(0.125)))
    assert (high, above) == (80, pytest.approx(1.0))
