"""The list of claims, and verdicts on made-up rows of the small model and of stored files."""

from collections import Counter

import pytest

from experiments.see2016 import claims
from experiments.see2016 import report as study_report
from experiments.see2016.evidence import Evidence, judge
from experiments.see2016.rows import Rows
from tests.support.made_up_rows import HOLDS, NOT, NOT_RUN, bleu, rows_of, verdict


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.claim)
def test_without_rows_nothing_was_run(claim):
    assert judge(claim, Evidence(Rows([]), {}))["verdict"] == NOT_RUN


def test_every_row_of_the_papers_list_is_there():
    assert Counter(claim.where for claim in claims.CLAIMS) == {
        "4.1": 1, "fig. 3": 1, "fig. 4": 3, "fig. 5": 1, "4.2": 2, "fig. 6": 5, "4.3": 2, "fig. 7": 1, "4.4": 1,
        "4.5": 2, "fig. 8": 5, "5": 4, "abstract": 1,
    }  # fmt: skip
    assert len({claim.claim for claim in claims.CLAIMS}) == len(claims.CLAIMS)
    assert {claim.experiment for claim in claims.CLAIMS} == {*study_report.SECTIONS} - {"full_size"}


@pytest.mark.parametrize(("sixty", "ninety", "expected"), [(9.2, 9.3, (HOLDS, HOLDS)), (8.9, 8.9, (NOT, NOT))])
def test_of_the_small_model(sixty, ninety, expected):
    lines = [
        *bleu("baseline", 0, 9.6), *bleu("control", 0, 9.7), *bleu("retrained", 90, ninety),
        *bleu("pruned", 60, sixty, scheme="class_blind"),
    ]  # fmt: skip
    rows = rows_of("small_model", *lines)
    assert (verdict(claims.small_at_sixty, rows), verdict(claims.small_at_ninety, rows)) == expected


@pytest.mark.parametrize(("after", "expected"), [(300, HOLDS), (400, NOT)])
def test_of_the_file(after, expected):
    lines = [
        {"model": model, "percent": x, "codec": "float32", "deflated_bytes": size, "ratio": 5.0}
        for model, x, size in (("baseline", 0.0, 1000), ("retrained", 80.0, after))
    ]
    assert verdict(claims.file_shrinks, rows_of("storage", *lines)) == expected
