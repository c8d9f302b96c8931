"""Length penalties against their equations, and the ranking that they give."""

import math

import numpy as np
import pytest

from seq2slim.decoding.length_penalty import LengthPenalty
from tests.support.beam_oracles import penalty

LENGTHS = np.array([1, 2, 7, 40])
LOG_PROBS = np.float32([-0.5, -3.0, -4.25, -90.0])


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("kind", ["none", "gnmt", "power"])
def test_score_is_the_log_probability_over_the_penalty(kind, alpha):
    found = LengthPenalty(kind, alpha).score(LOG_PROBS, LENGTHS)
    wanted = [log_prob / penalty(kind, alpha, int(length)) for log_prob, length in zip(LOG_PROBS, LENGTHS)]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_power_1_is_the_mean_per_token_and_gnmt_is_1_at_length_1():
    assert float(LengthPenalty("power", 1.0).score(np.float32(-12.0), 4)) == -3.0
    assert float(LengthPenalty("gnmt", 0.7).score(np.float32(-12.0), 1)) == -12.0
    assert float(LengthPenalty("gnmt", 1.0).score(np.float32(-12.0), 7)) == -6.0  # (5 + 7) / 6 = 2


def test_lengths_are_broadcast():
    scores = LengthPenalty("power").score(np.float32([[-2.0, -4.0], [-6.0, -8.0]]), np.array([[1], [2]]))
    np.testing.assert_array_equal(scores, [[-2.0, -4.0], [-3.0, -4.0]])


def test_a_penalty_favours_the_longer_of_two_equal_hypotheses():
    log_probs, lengths = np.float32([-5.0, -5.0]), np.array([3, 9])
    np.testing.assert_array_equal(LengthPenalty().score(log_probs, lengths), log_probs)
    for kind in ("gnmt", "power"):
        shorter, longer = LengthPenalty(kind).score(log_probs, lengths)
        assert longer > shorter


@pytest.mark.parametrize("alpha", [-0.1, math.nan])
def test_alpha_below_0_is_an_error(alpha):
    with pytest.raises(ValueError, match="alpha must be at least 0, got"):
        LengthPenalty("gnmt", alpha)


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match=r"must be one of .*'gnmt'.*, got 'google'"):
        LengthPenalty("google")
