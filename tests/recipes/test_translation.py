"""Recipes of translation: the paper's numbers, and retraining no longer than training."""

import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.decoding.length_limits import LIMITS, paper_limits
from seq2slim.recipes import RECIPES
from seq2slim.recipes.translation import SEE2016
from seq2slim.training.learning_rates import learning_rate
from seq2slim.training.loop import Run, total_steps
from seq2slim.training.optimizers import make_optimizer

HALF = 50  # steps of half an epoch, here


def rates(training):
    """The rate of every step."""
    total = total_steps(training, 2 * HALF)
    rate = learning_rate(training.schedule, training.optimizer.learning_rate, 2 * HALF, total)
    return np.array([float(rate(jnp.int32(step))) for step in range(total)])


class TestSee2016:
    def test_the_model_is_luongs_with_dropout(self):
        config = SEE2016.model.build(50_000, 50_000)
        assert (config.layers, config.units, config.embedding_size) == (4, 1000, 1000)
        assert (config.attention, config.input_feeding, config.bidirectional) == ("dot", False, False)
        assert (config.dropout, config.output_dropout, config.init_scale) == (0.2, 0.0, 0.1)
        assert not config.lstm_bias
        assert not config.output_bias
        assert SEE2016.reverse_source
        assert SEE2016.max_length == 50
        assert (SEE2016.vocabulary.kind, SEE2016.vocabulary.size) == ("words", 50_000)
        assert not SEE2016.vocabulary.joint

    def test_training_halves_every_epoch_after_8_of_12(self):
        epochs = rates(SEE2016.training).reshape(12, 2 * HALF)
        expected = [1.0] * 8 + [0.5, 0.25, 0.125, 0.0625]
        np.testing.assert_array_equal(epochs, np.repeat(expected, 2 * HALF).reshape(epochs.shape))

    def test_retraining_halves_every_half_epoch_after_2_of_4(self):
        halves = rates(SEE2016.retraining).reshape(8, HALF)
        expected = [0.5, 0.5, 0.5, 0.5, 0.25, 0.125, 0.0625, 0.03125]
        np.testing.assert_array_equal(halves, np.repeat(expected, HALF).reshape(halves.shape))
        run = Run(None, None, None, 2 * HALF, SEE2016.retraining)
        assert [step for step in range(1, run.total_steps + 1) if run.validates(step)] == list(range(HALF, 401, HALF))

    @pytest.mark.parametrize("training", [SEE2016.training, SEE2016.retraining], ids=["training", "retraining"])
    def test_the_update_is_plain_sgd_clipped_at_5(self, training):
        rate = training.optimizer.learning_rate
        optimizer = make_optimizer(training.optimizer, lambda step: rate)
        params = {"kernel": jnp.ones((1, 2)), "bias": jnp.ones(1)}
        state = optimizer.init(params)
        short, long = ({"kernel": jnp.array([[1.0, -2.0]]) * s, "bias": jnp.array([2.0]) * s} for s in (1, 10))
        for gradient, scale in ((short, 1), (long, 5 / 30), (short, 1)):  # norms 3, 30, 3; it remembers nothing
            updates, state = optimizer.update(gradient, state, params)
            for name, leaf in gradient.items():
                np.testing.assert_allclose(updates[name], -rate * scale * np.asarray(leaf), rtol=1e-6)

    @pytest.mark.parametrize("training", [SEE2016.training, SEE2016.retraining], ids=["training", "retraining"])
    def test_all_else_is_as_in_the_paper(self, training):
        assert training.batch_size == 128
        assert training.optimizer.normalise == "sentence"
        assert (training.label_smoothing, training.average_decay, training.patience) == (0, 0, 0)

    def test_the_search_is_luongs(self):
        assert LIMITS[SEE2016.search.limits] is paper_limits
        assert SEE2016.search.length_penalty.score(-3.0, 7) == -3.0
        assert SEE2016.search.replace_unknown


@pytest.mark.parametrize("name", RECIPES)
def test_retraining_is_never_longer_than_training(name):
    """Retraining a pruned model, and its control, never see more than the baseline did."""
    recipe = RECIPES[name]
    assert total_steps(recipe.retraining, 100) <= total_steps(recipe.training, 100)
    recipe.model.build(recipe.vocabulary.size, recipe.vocabulary.size)  # the options go together
