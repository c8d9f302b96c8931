"""Perplexity against a plain numpy loop."""

import math

import jax
import numpy as np
import pytest

from seq2slim.inference import text_files
from seq2slim.special_ids import BOS, EOS
from seq2slim.stages.perplexity import Perplexity
from seq2slim.stages.prune import Prune
from tests.support.numpy_seq2seq import translate
from tests.support.pruning_chain import model


def test_perplexity_is_that_of_a_plain_loop(runner, baseline):
    pruned = model(runner, stage := Prune(baseline, sparsity=0.7))
    runner.run(alone := Perplexity(stage))
    found = runner.result(alone)
    source, target = (v.encode("a b c") for v in text_files.vocabularies(runner.run_dir(baseline.text)))
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), pruned.params)
    logits, _ = translate(params, pruned.config, source[::-1], [BOS, *target])
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nll = -log_probs[np.arange(4), [*target, EOS]].sum()  # all four sentences of valid are the same
    assert found["perplexity"] == pytest.approx(math.exp(nll / 4), rel=1e-4)
    assert found["tokens"] == 4 * 4
    assert found["sparsity"] == pytest.approx(0.7, abs=1e-3)
