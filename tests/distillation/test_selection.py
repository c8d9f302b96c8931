"""The choice of Seq-Inter against brute force, and sentence-BLEU against a plain count and sacreBLEU."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim.distillation.selection import nearest, scorer, sentence_bleu

WORDS = st.lists(st.sampled_from("abcd"), max_size=7)


def plain_bleu(hypothesis, reference):
    """As the formula says, by counting; exact fractions up to the root."""
    if not hypothesis or not reference:
        return 0.0
    product, halvings = Fraction(1), 0
    for n in range(1, 5):
        mine = [tuple(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)]
        theirs = [tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)]
        if not mine:
            continue
        matches = Fraction(0)
        for gram in mine:
            if gram in theirs:
                theirs.remove(gram)
                matches += 1
        if matches == 0:
            halvings += 1
            matches = Fraction(1, 2**halvings)
        product *= matches / len(mine)
    penalty = 1.0 if len(hypothesis) >= len(reference) else math.exp(1 - len(reference) / len(hypothesis))
    return penalty * float(product) ** 0.25


@settings(deadline=None)
@given(WORDS, WORDS)
def test_smoothed_bleu_is_the_formula(hypothesis, reference):
    assert sentence_bleu(hypothesis, reference) == pytest.approx(plain_bleu(hypothesis, reference), rel=1e-12)


def test_smoothing_by_hand():
    """Three words, one right: 1/3, (1/2)/2, (1/4)/1, no 4-gram; the root stays a fourth."""
    assert sentence_bleu(["a", "x", "y"], ["a", "b", "c"]) == pytest.approx((1 / 3 * 1 / 4 * 1 / 4) ** 0.25)
    assert sentence_bleu(["a", "b", "c", "d"], ["a", "b", "c", "d"]) == pytest.approx(1)


@pytest.mark.parametrize("smoothing", ["halving", "sacrebleu"])
def test_the_choice_is_that_of_brute_force(smoothing):
    rng, score = np.random.default_rng(0), scorer(smoothing, "none")
    for _ in range(40):
        reference = " ".join(rng.choice(list("abcde"), 5))
        hypotheses = [" ".join(rng.choice(list("abcde"), rng.integers(1, 7))) for _ in range(12)]
        if smoothing == "halving":
            scores = [plain_bleu(own.split(), reference.split()) for own in hypotheses]
        else:
            scores = [sacrebleu.sentence_bleu(own, [reference], tokenize="none").score / 100 for own in hypotheses]
        index, best = nearest(hypotheses, reference, score)
        assert best == pytest.approx(max(scores), rel=1e-9)
        assert scores[index] == pytest.approx(max(scores), rel=1e-9)
        assert all(earlier < max(scores) * (1 - 1e-12) for earlier in scores[:index])


def test_the_two_smoothings_can_disagree():
    """Else the option would be none."""
    words = ["a b", "a x c", "a b c d", "b a d c", "x a b", "a"]
    picks = [
        [nearest(list(own), "a b c d e", scorer(smoothing, "none"))[0] for own in itertools.permutations(words, 2)]
        for smoothing in ("halving", "sacrebleu")
    ]
    assert picks[0] != picks[1]


def test_of_equal_ones_the_first_and_13a_takes_punctuation_off():
    assert nearest(["x", "a b", "a b"], "a b", scorer("halving", "none"))[0] == 1
    assert scorer("halving", "13a")("So it is.", "So it is .") == pytest.approx(1)
    assert scorer("halving", "none")("So it is.", "So it is .") < 1


def test_refusals():
    with pytest.raises(ValueError, match="no hypothesis"):
        nearest([], "a", scorer())
    with pytest.raises(ValueError, match="'exp'"):
        scorer("exp")
    with pytest.raises(ValueError, match="'zh'"):
        scorer("halving", "zh")
