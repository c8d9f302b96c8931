"""Perplexity against a computation by hand."""

import math

import numpy as np
import pytest

from seq2slim.evaluation.perplexity import corpus_perplexity


def test_by_hand():
    # Two sentences, 2 + 1 words and an EOS each: p = 1/2 1/4 1/8, and 1/2 1/16.
    batches = [[0.5, 0.25, 0.125], [0.5, 0.0625]]
    result = corpus_perplexity(lambda batch: (-sum(map(math.log, batch)), len(batch)), batches)
    assert result.tokens == 5
    assert result.nll == pytest.approx(11 * math.log(2))  # 1 + 2 + 3 + 1 + 4 halvings
    assert result.perplexity == pytest.approx(2 ** (11 / 5))  # not the mean 2 ** ((6/3 + 5/2) / 2) over batches


def test_sums_in_float64():
    # A running float32 sum stands still at 2**24: adding 1 no longer changes it.
    batches = [2.0**24] + [1.0] * 1000
    result = corpus_perplexity(lambda nll: (np.float32(nll), np.int32(1)), batches)
    assert result.nll == 2**24 + 1000


def test_overflow_is_infinite_and_nan_stays_nan():
    assert corpus_perplexity(lambda _: (1e6, 10), [0]).perplexity == math.inf
    assert math.isnan(corpus_perplexity(lambda nll: (nll, 10), [1.0, math.nan, 1.0]).perplexity)


def test_no_token_is_an_error():
    with pytest.raises(ValueError, match="at least one target token"):
        corpus_perplexity(lambda batch: (0.0, 0), [1, 2])
