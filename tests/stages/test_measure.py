"""Probability of the mode, memorisation and speed of a model."""

import itertools
from dataclasses import replace

import jax
import numpy as np
import pytest

from seq2slim.data import batching
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.distillation.mode import mode_mass
from seq2slim.evaluation.translate import search_lines
from seq2slim.inference import text_files
from seq2slim.inference.model_files import Model, load_model
from seq2slim.inference.search import make_search
from seq2slim.models import Seq2SeqConfig, init_params
from seq2slim.special_ids import BOS, EOS, PAD, UNK
from seq2slim.stages.evaluate import Evaluate
from seq2slim.stages.measure import Memorisation, Mode, Speed
from tests.support.distilling import SEARCH


def test_the_mode_and_its_mass_are_those_of_an_exhaustive_enumeration():
    """Sources of two words and the paper's limits: 2 or 3 words and EOS, of 4 words each, 80 hypotheses in all."""
    config = Seq2SeqConfig(7, 7, layers=1, units=5, dropout=0.0, init_scale=2.0)
    model = Model(config, init_params(config, jax.random.key(3)), None, False)
    source = np.array([[4, 5], [6, 4]], np.int32)
    nothing = np.zeros((2, 0), np.int32)
    batch = batching.Batch(source, nothing, nothing, np.arange(2, dtype=np.int32))
    found = mode_mass(np.asarray(make_search(model, SearchConfig(beam=96, limits="paper"))(batch).log_prob))

    outputs = [(*words, EOS) for n in (2, 3) for words in itertools.product((UNK, 4, 5, 6), repeat=n)]
    target_in = np.array([(BOS, *words[:-1], *[PAD] * (4 - len(words))) for words in outputs], np.int32)
    modes, masses = [], []
    for row in source:
        logits = model.module.apply({"params": model.params}, np.tile(row, (80, 1)), target_in)
        log_p = np.asarray(jax.nn.log_softmax(logits), np.float64)
        own = [sum(log_p[t, n, word] for t, word in enumerate(words)) for n, words in enumerate(outputs)]
        modes.append(np.exp(max(own)))
        masses.append(np.exp(own).sum())
    assert found.mode == pytest.approx(np.mean(modes), rel=1e-4)
    assert found.n_best == pytest.approx(np.mean(masses), rel=1e-4)
    assert 0 < found.mode < found.n_best < 1


def test_mode_memory_and_speed_are_of_the_model_and_the_split_they_name(runner, text, teacher):
    """p(w*) by a search of one's own, BLEU of the two splits by `evaluate`'s, rates for each model in order."""
    model, split = load_model(runner.run_dir(teacher)), text_files.tokenised(runner.run_dir(text))["valid"]
    penalised = replace(SEARCH, length_penalty=LengthPenalty("gnmt", 5.0))
    config = batching.BatchConfig(4, model.reverse_source)
    found = search_lines(make_search(model, SEARCH), batching.evaluation_batches(split, config, targets=False))
    best = [np.exp(result.log_prob.astype(np.float64)) for _, _, result in found]
    stages = (
        Mode(teacher, "valid", penalised),
        Memorisation(teacher, 5, SEARCH, "none"),
        Speed((teacher,) * 2, search=SEARCH),
    )
    runner.run(stages)
    mode, memory, speed = map(runner.result, stages)
    assert mode["mode"] == pytest.approx(np.mean([own.max() for own in best]), rel=1e-4)
    assert mode["n_best_mass"] == pytest.approx(np.mean([own.sum() for own in best]), rel=1e-4)

    evaluated = Evaluate(teacher, "valid", SEARCH, "none")
    runner.run(evaluated)
    assert memory["valid_bleu"] == pytest.approx(runner.result(evaluated)["beam_bleu"], abs=0.011)
    assert {"greedy", "beam"} <= speed.keys()
    assert len(speed["greedy"]) == len(speed["beam"]) == 2
    assert min(speed["greedy"] + speed["beam"]) > 0
