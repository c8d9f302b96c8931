"""Schedules against their closed forms, and the conditions every schedule keeps."""

import numpy as np
import pytest

from seq2slim.pruning import gradual, is_due, iterative, one_shot


def test_one_shot():
    schedule = one_shot(0.8, step=10)
    assert [schedule(t) for t in (0, 9, 10, 11)] == [0, 0, 0.8, 0.8]
    assert [t for t in range(30) if is_due(schedule, t)] == [10]
    assert is_due(one_shot(0.8), 0)


def test_iterative_removes_the_same_share_of_the_rest_each_round():
    schedule = iterative(0.9, rounds=4, every=5, start=3)
    due = [t for t in range(50) if is_due(schedule, t)]
    assert due == [3, 8, 13, 18]
    density = [1.0] + [1 - schedule(t) for t in due]
    np.testing.assert_allclose(np.divide(density[1:], density[:-1]), 0.1**0.25)
    assert schedule(18) == 0.9
    assert schedule(2) == 0


def test_gradual_is_the_cubic_polynomial():
    schedule = gradual(0.8, start=100, stop=200, initial=0.2)
    for t in range(100, 201):
        u = (t - 100) / 100
        assert schedule(t) == pytest.approx(0.2 + 0.6 * (3 * u - 3 * u**2 + u**3))  # expanded by hand
    assert schedule(99) == 0
    assert schedule(200) == schedule(10_000) == 0.8


def test_gradual_stands_between_prunings():
    schedule = gradual(0.8, start=0, stop=95, every=10)
    assert [t for t in range(120) if is_due(schedule, t)] == [*range(10, 100, 10), 95]
    assert schedule(39) == schedule(30)


@pytest.mark.parametrize(
    "schedule",
    [one_shot(0.7, 5), iterative(0.7, 3, 7, 2), iterative(1.0, 2, 1), gradual(0.7, 3, 40, 4), gradual(1, 0, 9)],
)
def test_sparsity_never_falls_nor_leaves_its_range(schedule):
    values = [schedule(t) for t in range(60)]
    assert (np.diff(values) >= 0).all()
    assert values[-1] == max(values) <= 1
    assert min(values) >= 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: one_shot(1.2),
        lambda: one_shot(0.5, -1),
        lambda: iterative(0.5, 0, 1),
        lambda: iterative(0.5, 1, 0),
        lambda: gradual(0.5, 10, 10),
        lambda: gradual(0.5, 0, 10, initial=0.6),
        lambda: gradual(-0.1, 0, 10),
    ],
)
def test_arguments_outside_their_range_are_errors(make):
    with pytest.raises(ValueError, match="got"):
        make()
