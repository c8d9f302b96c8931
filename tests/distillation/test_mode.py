"""Probabilities are averaged, not their logarithms."""

import numpy as np
import pytest

from seq2slim.distillation.mode import mode_mass


def test_by_hand():
    found = mode_mass(np.log([[0.5, 0.25], [0.01, 0.02]]))
    assert found.mode == pytest.approx((0.5 + 0.02) / 2)
    assert found.n_best == pytest.approx((0.75 + 0.03) / 2)
    assert found.sentences == 2


def test_a_free_place_has_no_mass():
    assert mode_mass(np.array([[0.0, -np.inf]])) == (1.0, 1.0, 1)


@pytest.mark.parametrize("wrong", [np.zeros((0, 3)), np.zeros(3), np.array([[0.5]]), np.array([[np.nan]])])
def test_refusals(wrong):
    with pytest.raises(ValueError, match=r"log_probs|log-probability"):
        mode_mass(wrong)
