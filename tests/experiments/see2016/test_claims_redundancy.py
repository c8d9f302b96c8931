"""Verdicts on made-up densities of words and gates."""

import itertools

import pytest

from experiments.see2016 import claims_redundancy
from experiments.see2016.evidence import Evidence, judge
from experiments.see2016.rows import Rows
from tests.support.made_up_rows import HOLDS, NOT, rows_of

GOOD = {"h-hat": 0.4, "i": 0.3, "o": 0.2, "f": 0.1}


@pytest.mark.parametrize(
    ("dead", "gates", "top", "expected"),
    [
        ((3, 9), GOOD, {**GOOD, "h-hat": 0.31}, {"4.5": HOLDS, "fig. 8": HOLDS}),
        ((9, 0), {**GOOD, "h-hat": 0.05}, GOOD, {"4.5": NOT, "fig. 8": NOT}),
    ],
)
def test_of_redundancy(dead, gates, top, expected):
    good = dead[0] < dead[1]
    row = {
        "model": "pruned", "percent": 80.0, "source_dead": dead[0], "target_dead": dead[1], "source_words": 99,
        "target_words": 99, "source_rank_correlation": -0.4, "target_rank_correlation": -0.4 if good else -0.2,
    }  # fmt: skip
    lines = []
    for side, layer in itertools.product(("source", "target"), (1, 2)):
        more = "feed-forward" if (layer == 1) == good else "recurrent"
        lines += [
            {
                "matrix": f"{side} layer {layer}", "part": part, "gate": gate, "units": 100,
                "density": density * (1.1 if part == more else 0.9),
                "diagonal": 0.9 if good and part == "recurrent" else 0.2, "off": 0.2,
            }
            for part in ("feed-forward", "recurrent")
            for gate, density in (gates if layer == 1 else top).items()
        ]  # fmt: skip
    rows = rows_of("fig8_redundancy", row)
    evidence = Evidence(Rows(rows), {rows[0]["identity"]: {"gate_density": lines}})
    for claim in claims_redundancy.CLAIMS:
        assert judge(claim, evidence)["verdict"] == expected[claim.where], claim.claim
