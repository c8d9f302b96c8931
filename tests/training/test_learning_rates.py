"""The learning rate of every step, in the papers' prose and in their code."""

import jax
import numpy as np
import pytest

from seq2slim.training.config import ScheduleConfig
from seq2slim.training.learning_rates import halving_steps, learning_rate


def rates_of(config, peak, steps_per_epoch, total):
    """float32[total], computed under jit as in the train step."""
    return np.asarray(jax.jit(jax.vmap(learning_rate(config, peak, steps_per_epoch, total)))(np.arange(total)))


SEE_RETRAINING = {
    "prose": [0.5, 0.5, 0.5, 0.5, 0.25, 0.125, 0.0625, 0.03125],
    "code": [0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.125, 0.0625],
}


@pytest.mark.parametrize("timing", SEE_RETRAINING)
def test_retraining_of_see_by_half_epochs(timing):
    """Rate 0.5, 4 epochs, halved every half epoch after 2 (See et al. 2016, sec. 3.4; science.md B1.5)."""
    config = ScheduleConfig("halving", halve_after=2, halve_every=0.5, timing=timing)
    np.testing.assert_array_equal(rates_of(config, 0.5, 20, 80), np.repeat(SEE_RETRAINING[timing], 10))


@pytest.mark.parametrize(("timing", "full"), [("prose", 8), ("code", 9)])
def test_twelve_epochs_of_luong(timing, full):
    """Rate 1, halved each epoch after 8: the step after the 8th (9th) epoch is the first at half the rate."""
    config = ScheduleConfig("halving", halve_after=8, halve_every=1, timing=timing)
    rates = rates_of(config, 1.0, 7, 84)
    expected = [1.0] * full + [0.5**n for n in range(1, 12 - full + 1)]
    np.testing.assert_array_equal(rates, np.repeat(expected, 7))
    np.testing.assert_array_equal(halving_steps(config, 7, 84), 7 * np.arange(full, 12))


def test_halving_between_two_steps_falls_on_the_nearer_one():
    config = ScheduleConfig("halving", halve_after=0.6, halve_every=0.8)
    # 5 steps per epoch: 3, 7, 11. 4 steps per epoch: 2.4, 5.6, 8.8; the last one is after the run.
    np.testing.assert_array_equal(halving_steps(config, 5, 12), [3, 7, 11])
    np.testing.assert_array_equal(halving_steps(config, 4, 8), [2, 6])


def test_a_run_shorter_than_the_constant_part_never_halves():
    config = ScheduleConfig("halving", halve_after=8)
    np.testing.assert_array_equal(rates_of(config, 0.7, 10, 30), np.full(30, np.float32(0.7)))


def test_halving_at_once():
    config = ScheduleConfig("halving", halve_after=0, halve_every=1)
    np.testing.assert_array_equal(rates_of(config, 1.0, 2, 4), [0.5, 0.5, 0.25, 0.25])


def test_cosine_rises_on_a_line_to_the_peak_and_falls_to_zero():
    config = ScheduleConfig("cosine", warmup=0.5)
    total, warm, peak = 60, 10, 2e-3
    rate = learning_rate(config, peak, 20, total)
    rates = np.array([rate(step) for step in range(total + 1)])
    # A line that would start from zero one step before the first.
    np.testing.assert_allclose(rates[: warm + 1], peak * np.arange(1, warm + 2) / (warm + 1), rtol=1e-5)
    done = np.arange(total - warm + 1) / (total - warm)
    np.testing.assert_allclose(rates[warm:], peak * (1 + np.cos(np.pi * done)) / 2, rtol=1e-5, atol=1e-9)
    assert rates.argmax() == warm
    assert rates[-1] == 0
    assert rates[:-1].min() > 0


@pytest.mark.parametrize(("warmup", "total"), [(0, 8), (5, 8), (0, 1), (1, 1)])
def test_cosine_without_warm_up_or_with_one_longer_than_the_run(warmup, total):
    rates = rates_of(ScheduleConfig("cosine", warmup=warmup), 0.1, 4, total)
    assert np.isfinite(rates).all()
    assert rates.min() > 0
    np.testing.assert_allclose(rates.max(), 0.1, rtol=1e-6)


def test_constant():
    np.testing.assert_array_equal(rates_of(ScheduleConfig("constant"), 0.3, 5, 9), np.full(9, np.float32(0.3)))
