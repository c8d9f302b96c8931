"""Objectives with teachers: alpha 0 is plain training, bit for bit; a store of all words equals the teacher itself."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.losses import TopK
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params
from seq2slim.training.config import OptimizerConfig, TrainingConfig, WordDistillationConfig
from seq2slim.training.objective import Loss, Noise, Objective, perplexity
from seq2slim.training.objectives import nll, objective_named, online_distillation, stored_distillation
from seq2slim.training.step import make_training
from tests.training.test_step import BATCH

STUDENT = Seq2SeqConfig(11, 9, layers=1, units=4, dropout=0.3)
TEACHER = Seq2Seq(Seq2SeqConfig(11, 9, layers=1, units=6, dropout=0.5, output_bias=True))


def params_of(config, seed):
    """Random parameters from numpy, because an eager init compiles every operation."""
    rng, shapes = np.random.default_rng(seed), jax.eval_shape(lambda k: init_params(config, k), jax.random.key(0))
    return jax.tree.map(lambda leaf: np.float32(rng.uniform(-1, 1, leaf.shape)), shapes)


PARAMS, START = params_of(TEACHER.config, 7), params_of(STUDENT, 1)
CONFIG = TrainingConfig(optimizer=OptimizerConfig("sgd", learning_rate=0.5, clip_norm=0.0), label_smoothing=0.1)


def step(objective):
    """(state, metrics) after one step."""
    training = make_training(objective, CONFIG, 1)
    return jax.tree.map(np.asarray, training.step(training.start(START, jax.random.key(2)), BATCH))


def online(word, *teachers):
    return online_distillation(STUDENT, CONFIG, word, [(TEACHER, params) for params in teachers])


@cache
def plain():
    """(state, metrics) after one step without a teacher."""
    return step(nll(STUDENT, CONFIG))


@cache
def all_words():
    """The entries for BATCH of a store that holds the whole vocabulary."""
    logits = jax.jit(TEACHER.apply)({"params": PARAMS}, BATCH.source, BATCH.target_in)
    words = np.broadcast_to(np.arange(9, dtype=np.int32)[::-1], logits.shape)
    return TopK(words, np.take_along_axis(np.asarray(jax.nn.log_softmax(logits)), words, -1))


def stored(word):
    return stored_distillation(STUDENT, CONFIG, word, lambda batch: all_words())


def test_alpha_0_is_plain_training_bit_for_bit():
    none = WordDistillationConfig(alpha=0.0, temperature=2.0)
    for found in (step(online(none, PARAMS)), step(stored(none))):
        jax.tree.map(np.testing.assert_array_equal, found, plain())


def test_a_store_of_all_words_equals_the_teacher_in_the_step():
    word = WordDistillationConfig(0.5, temperature=2.0)
    taught, from_store = step(online(word, PARAMS)), step(stored(word))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), taught, from_store)
    assert abs(taught[1]["loss"] - plain()[1]["loss"]) > 1e-3
    np.testing.assert_allclose(taught[1]["nll"], plain()[1]["nll"], rtol=1e-6)  # the metric stays the NLL


def test_two_teachers_are_their_mean_and_learn_nothing():
    others = jax.tree.map(lambda leaf: 3 * leaf, PARAMS)
    objective = online(WordDistillationConfig(1.0), PARAMS, PARAMS)

    def loss(teachers):
        return objective.loss(START, BATCH, (teachers, ()), (), Noise(None)).total

    run = jax.jit(jax.value_and_grad(loss))
    (one, _), (other, _), (both, gradients) = map(run, ((PARAMS, PARAMS), (others, others), (PARAMS, others)))
    assert abs(one - other) > 1e-3
    np.testing.assert_allclose(both, (one + other) / 2, rtol=1e-5)  # cross-entropy is linear in q
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize(("alpha", "temperature", "name"), [(1.5, 1, "alpha"), (-0.1, 1, "alpha"), (0.5, 0, "temp")])
def test_options_out_of_range(alpha, temperature, name):
    with pytest.raises(ValueError, match=name):
        WordDistillationConfig(alpha, temperature)


def test_an_unknown_objective_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"got 'nl'.*nll"):
        objective_named("nl")


def quadratic(**changes):
    """(w - 1)^2, carrying 3 numbers, with some of its parts replaced."""

    def loss(params, batch, extra, carried, noise):
        total = (params["w"] - 1) ** 2
        return Loss(total, changes.get("sums", {"square": total}), changes.get("carried", carried))

    return Objective(
        loss, lambda batch: jnp.float32(1), carried=np.zeros(3), progress=changes.get("progress", "square")
    )


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({}, None),
        ({"progress": "loss"}, None),
        ({"sums": {"tokens": 1.0}}, "may not report 'tokens'"),
        ({"sums": {"gradient_norm": 1.0}}, "may not report 'gradient_norm'"),
        ({"progress": "nll"}, "progress='nll' is not reported; reported are .'square'"),
        ({"sums": {"square": jnp.zeros(2)}}, r"numbers, summed over it; got shape \(2,\)"),
        ({"carried": np.zeros(9)}, r"keeps its shapes .*\(3,\).* then .*\(9,\)"),
        ({"carried": np.zeros(3, int)}, "keeps its shapes and dtypes"),
        ({"carried": ()}, "keeps its shapes"),
    ],
)
def test_an_objective_keeps_its_word(changes, match):
    training = make_training(quadratic(**changes), CONFIG, 1)
    state = training.start({"w": np.float32(0)}, jax.random.key(0))
    if match is None:
        assert training.step(state, BATCH)[1]["loss"] == 1
    else:
        with pytest.raises(ValueError, match=match):
            training.step(state, BATCH)


def test_a_log_without_an_nll_has_no_perplexity():
    assert perplexity({"square": 1.0, "tokens": 2.0}) == {}
    assert perplexity({"nll": 2.0, "tokens": 2.0}) == {"train_perplexity": pytest.approx(np.e)}
