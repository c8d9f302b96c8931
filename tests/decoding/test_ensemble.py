"""The mean of probabilities against numpy."""

import numpy as np

from seq2slim.decoding.ensemble import mean_of_probabilities
from tests.support.beam_oracles import log_softmax


def test_one_model_is_itself():
    logits = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    assert mean_of_probabilities([logits]) is logits


def test_several_are_the_log_of_the_mean_of_their_softmaxes():
    logits = np.random.default_rng(0).normal(0, 5, (3, 4, 6)).astype(np.float32)
    expected = np.log(np.mean([[np.exp(log_softmax(row)) for row in own] for own in logits], axis=0))
    np.testing.assert_allclose(mean_of_probabilities(list(logits)), expected, rtol=1e-4, atol=1e-5)
