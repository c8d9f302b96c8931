"""Verdicts on made-up rows of models pruned without retraining."""

import math

import pytest

from experiments.see2016 import claims_pruned
from tests.support.made_up_rows import HOLDS, NOT, bleu, rows_of, verdict


@pytest.mark.parametrize(
    ("rule", "blind", "uniform", "expected"),
    [
        (claims_pruned.class_blind_is_best, (29.9, 29.5, 20), (28.0, 27.5, 10), HOLDS),
        (claims_pruned.class_blind_is_best, (29.9, 29.5, 20), (29.0, 29.6, 10), HOLDS),  # at two of three
        (claims_pruned.class_blind_is_best, (29.9, 29.5, 20), (30.0, 29.6, 10), NOT),
        (claims_pruned.forty_percent_for_little, (29.9, 29.5, 20), (29, 29, 29), HOLDS),
        (claims_pruned.forty_percent_for_little, (29.9, 28.5, 20), (29, 29, 29), NOT),
        (claims_pruned.exponential_loss, tuple(30 * math.exp(-0.01 * math.exp(0.06 * x)) for x in (20, 40, 80)),
         (1, 1, 1), HOLDS),
        (claims_pruned.exponential_loss, tuple(30 * math.exp(-0.02 * x) for x in (20, 40, 80)), (1, 1, 1), NOT),
    ],
)  # fmt: skip
def test_of_the_schemes(rule, blind, uniform, expected):
    lines = [*bleu("baseline", 0, 30.0)]
    for percent, one, other in zip((20, 40, 80), blind, uniform):
        lines += bleu("pruned", percent, one, scheme="class_blind")
        lines += bleu("pruned", percent, other, scheme="class_uniform")
        lines += bleu("pruned", percent, other, scheme="class_distribution")
    assert verdict(rule, rows_of("fig3_schemes", *lines)) == expected


def test_the_best_scheme_is_so_in_the_mean_over_seeds():
    lines = []
    for percent, blind, uniform in (
        (20, (30, 31), (30.1, 30.8)),
        (40, (29, 30), (29.2, 29.9)),
        (60, (9, 9), (8, 8)),
    ):
        for scheme, values in (("class_blind", blind), ("class_uniform", uniform), ("class_distribution", uniform)):
            lines += bleu("pruned", percent, *values, scheme=scheme)
    rule = claims_pruned.class_blind_is_best
    assert verdict(rule, rows_of("fig3_schemes", *lines)) == HOLDS
    of_forty = [own for own in lines if own["percent"] != 20]
    assert verdict(rule, rows_of("fig3_schemes", *of_forty)) == NOT  # at one of two


@pytest.mark.parametrize(
    ("uniform", "blind", "expected"),
    [
        (
            {"target layer 2": 50, "attention": 40, "softmax": 30},
            {"softmax": 5, "source layer 1": 4},
            (HOLDS, HOLDS),
        ),
        ({"target layer 1": 50, "attention": 40, "softmax": 30}, {"softmax": 60}, (NOT, NOT)),
    ],
)
def test_of_the_classes(uniform, blind, expected):
    names = ["attention", "softmax", *(f"{s} layer {k}" for s in ("source", "target") for k in (1, 2))]
    lines = [{"model": "baseline", "percent": 0.0, "perplexity": 5.0}]
    for scheme, increases in (("class_uniform", uniform), ("class_blind", blind)):
        lines += [
            {
                "model": "pruned", "percent": 90.0, "scheme": scheme, "class": name, "class_weights": size,
                "perplexity": 5.0 + increases.get(name, 0.01 * size),
                "largest_removed": 5.0 + increases.get(name, 0.01 * size),
            }
            for size, name in enumerate(names)
        ]  # fmt: skip
    rows = rows_of("fig4_breakdown", *lines)
    assert verdict(claims_pruned.uniform_hits_three_classes, rows) == expected[0]
    assert verdict(claims_pruned.blind_is_flatter, rows) == expected[1]
    assert verdict(claims_pruned.blind_follows_size, rows) == NOT
    scatter = [row | {"experiment": "fig5_magnitude"} for row in rows]
    assert verdict(claims_pruned.threshold_predicts_damage, scatter) == HOLDS
    turned = [row | {"largest_removed": -row.get("largest_removed", 0)} for row in scatter]
    assert verdict(claims_pruned.threshold_predicts_damage, turned) == NOT
