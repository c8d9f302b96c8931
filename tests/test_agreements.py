"""Packages of one rank agree on the layout of LSTM gates, though neither imports the other."""

import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models.lstm import lstm_gates
from seq2slim.pruning import lstm_subgroups
from seq2slim.pruning.classes import GATES


@pytest.mark.parametrize("part", ["feed-forward", "recurrent"])
@pytest.mark.parametrize("gate", GATES)
def test_a_subgroup_holds_the_weights_of_its_gate_and_part(gate, part):
    """Large weights in one subgroup alone saturate that gate alone, and only when its part of [x; h] is not 0."""
    inputs, units = 3, 2
    kernel = np.zeros((inputs + units, 4 * units), np.float32)
    kernel[lstm_subgroups(units)[part, gate]] = 100
    parts = {"feed-forward": np.repeat([1, 0], [inputs, units]), "recurrent": np.repeat([0, 1], [inputs, units])}
    for name, x_and_h in parts.items():
        (i, f, o, h_hat), _ = lstm_gates(jnp.asarray(x_and_h[None] @ kernel, jnp.float32), jnp.zeros((1, units)))
        activations = {"i": i, "f": f, "o": o, "h-hat": h_hat}
        at_rest = {"i": 0.5, "f": 0.5, "o": 0.5, "h-hat": 0.0}
        for other, activation in activations.items():
            saturated = other == gate and name == part
            np.testing.assert_allclose(activation, 1.0 if saturated else at_rest[other])
