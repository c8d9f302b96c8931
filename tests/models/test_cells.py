"""Both kinds of cell: single steps and the whole layer against a loop in numpy."""

import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.models.cells import CELLS
from tests.support import numpy_seq2seq

T, B, E, H = 4, 3, 5, 6
STATES = {"lstm": 2, "gru": 1}


def make_inputs(kind):
    rng = np.random.default_rng(0)
    shapes = (E + H, CELLS[kind].blocks * H), (CELLS[kind].blocks * H,), (T, B, E)
    kernel, bias, x = (rng.normal(0, 0.5, shape).astype(np.float32) for shape in shapes)
    return kernel, bias, x, tuple(rng.normal(0, 0.5, (B, H)).astype(np.float32) for _ in range(STATES[kind]))


def by_numpy(kernel, bias, x, state):
    """(h of all steps [T, B, H], last state), one sentence after the other."""
    runs = [numpy_seq2seq.layer(kernel, bias, x[:, b], tuple(part[b] for part in state)) for b in range(B)]
    return np.stack([hs for hs, _ in runs], axis=1), [np.stack(parts) for parts in zip(*(last for _, last in runs))]


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("kind", CELLS)
def test_steps_are_those_of_a_numpy_loop(kind, with_bias):
    cell = CELLS[kind]
    kernel, bias, x, state = make_inputs(kind)
    bias = bias if with_bias else None
    wanted, last = by_numpy(kernel, bias, x, state)
    matrices, called = cell.matrices(kernel, E), []

    def product(name, a):
        called.append(name)
        return a @ matrices[name]

    for t in range(T):
        h, state = cell.step(product, x[t], state, bias)
        np.testing.assert_allclose(h, wanted[t], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(h, state[0])  # h is first
        assert sorted(called[t * len(matrices) :]) == sorted(matrices)  # once per name
    for found, part in zip(state, last, strict=True):
        np.testing.assert_allclose(found, part, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CELLS)
def test_the_layer_is_that_of_a_numpy_loop(kind):
    kernel, bias, x, state = make_inputs(kind)
    wanted, last = by_numpy(kernel, bias, x, state)
    h, state = CELLS[kind].layer(kernel, bias, x, state, None)
    np.testing.assert_allclose(h, wanted, rtol=1e-4, atol=1e-5)
    for found, part in zip(state, last, strict=True):
        np.testing.assert_allclose(found, part, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_what_accumulates_over_steps_starts_in_float32(dtype):
    for kind, cell in CELLS.items():
        state = cell.zeros(B, H, dtype)
        assert len(state) == STATES[kind]
        assert all(part.shape == (B, H) and not part.any() for part in state)
        assert state[-1].dtype == jnp.float32  # c of the LSTM, h of the GRU
    assert CELLS["lstm"].zeros(B, H, dtype)[0].dtype == dtype
