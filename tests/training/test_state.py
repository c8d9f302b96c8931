"""The state before the first step: copies of the parameters, which later updates leave unchanged."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from seq2slim.training.state import new_state

PARAMS = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}
MASKS = {"kernel": np.array([[False, True, True], [True, False, True]])}


def test_new_state_starts_at_step_0():
    params = jax.tree.map(lambda leaf, mask: leaf * mask, PARAMS, MASKS)
    state = new_state(params, optax.scale_by_adam(), jax.random.key(5), averaged=True, masks=MASKS)
    assert state.step == 0
    jax.tree.map(np.testing.assert_array_equal, state.params, params)
    jax.tree.map(np.testing.assert_array_equal, state.average, params)
    np.testing.assert_array_equal(state.key, jax.random.key_data(jax.random.key(5)))


def test_a_donated_state_leaves_the_parameters_it_was_made_of():
    params = jax.tree.map(jnp.asarray, PARAMS)
    state = new_state(params, optax.identity(), jax.random.key(0), averaged=True)
    jax.tree.map(lambda leaf: leaf.delete(), state)
    jax.tree.map(np.testing.assert_array_equal, params, PARAMS)


def test_the_result_is_the_average_if_there_is_one():
    for averaged in (False, True):
        state = new_state(PARAMS, optax.identity(), jax.random.key(0), averaged)
        moved = state._replace(params={"kernel": PARAMS["kernel"] + 1})
        np.testing.assert_array_equal(moved.result["kernel"], PARAMS["kernel"] + (0 if averaged else 1))
