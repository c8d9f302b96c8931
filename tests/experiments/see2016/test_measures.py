"""Damage by class and density by gate, against numbers worked out by hand."""

import pytest

from experiments.see2016.measures import by_gate, correlation, increases
from experiments.see2016.rows import Rows


def row(**columns):
    return {"seed": 1, "order": 0, "scheme": "class_uniform", **columns}


def test_damage_is_perplexity_above_the_baseline_and_its_ranks_are_correlated():
    classes = {"a": (0.1, 7.0), "b": (0.2, 9.5), "c": (0.4, 8.0)}  # largest |w| removed, perplexity
    rows = Rows(
        [
            {"seed": 1, "order": 0, "model": "baseline", "perplexity": 6.5},
            *(row(**{"class": name, "largest_removed": w, "perplexity": p}) for name, (w, p) in classes.items()),
            row(scheme="class_blind", perplexity=99.0),
        ]
    )
    found = increases(rows, "class_uniform")
    assert {line["class"]: line["increase"] for line in found} == {"a": 0.5, "b": 3.0, "c": 1.5}
    rho, p, count = correlation(rows)
    assert (rho, count) == (pytest.approx(0.5), 3)  # ranks 1 2 3 and 1 3 2: 1 - 6 * 2 / (3 * 8)
    assert p == pytest.approx(3 / 6)  # of 6 pairings, 1 2 3, 1 3 2 and 2 1 3 correlate at least as much


def test_a_matrix_is_the_mean_of_its_blocks():
    def line(part, gate, density, diagonal=None, off=None):
        return {"matrix": "m", "part": part, "gate": gate, "density": density, "diagonal": diagonal, "off": off}

    (found,) = by_gate(
        [
            line("feed-forward", "i", 0.2), line("recurrent", "i", 0.4, 0.9, 0.3),
            line("feed-forward", "f", 0.6), line("recurrent", "f", 0.8, 0.5, 0.1),
        ]
    )  # fmt: skip
    expected = {"i": 0.3, "f": 0.7, "feed-forward": 0.4, "recurrent": 0.6, "diagonal": 0.7, "off": 0.2, "ratio": 3.5}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
