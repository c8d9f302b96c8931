"""The bootstrap of any score, against sacreBLEU's of BLEU, which draws the same resamples."""

import numpy as np
import pytest

from seq2slim.errors import UserError
from seq2slim.evaluation.bleu import bleu, paired_bootstrap
from seq2slim.evaluation.bootstrap import compare_systems


def systems(share, other):
    rng = np.random.default_rng(0)
    references = [rng.choice(list("abcdefghij"), 12) for _ in range(30)]
    made = [[np.where(rng.random(12) < part, "x", line) for line in references] for part in (share, other)]
    return [[" ".join(line) for line in side] for side in (*made, references)]


@pytest.mark.parametrize("other", [0.2, 0.25, 0.5])
def test_for_bleu_it_is_sacrebleu_s(other):
    baseline, system, references = systems(0.2, other)
    expected = paired_bootstrap(baseline, system, references, samples=99, tokenize="none")
    found = compare_systems(lambda h, r: bleu(h, r, tokenize="none").score, baseline, system, references, samples=99)
    assert found.p_value == pytest.approx(expected.p_value)
    for one, same in ((found.baseline, expected.baseline), (found.system, expected.system)):
        assert one == pytest.approx(same, rel=1e-5)


def test_equal_scores_are_no_difference():
    baseline, _, references = systems(0.2, 0.2)
    assert compare_systems(lambda h, r: len(h), baseline, references, references, samples=9).p_value == 1


def test_refuses_what_cannot_be_compared():
    for lines in ((["a"], ["a"], ["a", "b"]), ([], [], [])):
        with pytest.raises(UserError, match="as many lines"):
            compare_systems(lambda h, r: 0.0, *lines)
    with pytest.raises(UserError, match="samples must be at least 1, got 0"):
        compare_systems(lambda h, r: 0.0, ["a"], ["b"], ["c"], samples=0)
