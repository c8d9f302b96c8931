"""Gradients against central differences along random directions, one direction an argument."""

import jax
import numpy as np

STEP = 1e-5


def assert_gradients(value_and_gradients, arguments, tolerance=1e-7):
    """Checks `value_and_gradients(arguments) -> (float64[], gradients like arguments)`; arguments: name -> pytree."""
    _, gradients = value_and_gradients(arguments)
    for seed, name in enumerate(arguments):
        leaves, treedef = jax.tree.flatten(arguments[name])
        rng = np.random.default_rng(seed)
        direction = treedef.unflatten([rng.standard_normal(leaf.shape) for leaf in leaves])

        def at(distance, name=name, direction=direction):
            moved = jax.tree.map(lambda x, d: x + distance * d, arguments[name], direction)
            return float(value_and_gradients(arguments | {name: moved})[0])

        slope = (at(STEP) - at(-STEP)) / (2 * STEP)
        products = jax.tree.map(lambda g, d: float((np.asarray(g) * d).sum()), gradients[name], direction)
        np.testing.assert_allclose(sum(jax.tree.leaves(products)), slope, tolerance, tolerance, err_msg=name)
