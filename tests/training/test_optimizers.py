"""Update rules against numpy loops in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seq2slim.training.config import OptimizerConfig
from seq2slim.training.optimizers import make_optimizer

STEPS, SHAPES = 6, ((3, 2), (4,))
RNG = np.random.default_rng(0)
START = [RNG.standard_normal(shape) for shape in SHAPES]
GRADIENTS = [[RNG.standard_normal(shape) for shape in SHAPES] for _ in range(STEPS)]
GRADIENTS[2][1][:2] = 0  # a word that is not in the batch


def rate(step):
    return 0.1 / (1.0 + step)


def run(config):
    """The parameters after every step, by optax."""
    optimizer = make_optimizer(config, rate)
    params = [jnp.asarray(w) for w in START]
    state = optimizer.init(params)
    seen = []
    for gradients in GRADIENTS:
        updates, state = optimizer.update([jnp.asarray(g) for g in gradients], state, params)
        params = optax.apply_updates(params, updates)
        seen.append(params)
    return seen


def sgd(history, t):
    return history[-1]


def adagrad(history, t):
    """g / (sqrt(sum g^2) + 1e-10), the sum from zero (science.md: the papers' Torch code)."""
    return history[-1] / (np.sqrt(sum(g * g for g in history)) + 1e-10)


def adam(history, t, decay=0.999):
    """Kingma & Ba 2015, algorithm 1, unrolled over the history of gradients."""
    weights = [0.9 ** (t - s) for s in range(t + 1)]
    mean = (1 - 0.9) * sum(w * g for w, g in zip(weights, history)) / (1 - 0.9 ** (t + 1))
    weights = [decay ** (t - s) for s in range(t + 1)]
    square = (1 - decay) * sum(w * g * g for w, g in zip(weights, history)) / (1 - decay ** (t + 1))
    return mean / (np.sqrt(square) + 1e-8)


@pytest.mark.parametrize("clip_norm", [0.0, 2.0])
@pytest.mark.parametrize("rule", [sgd, adagrad, adam])
def test_equals_the_numpy_loop(rule, clip_norm):
    with jax.enable_x64(True):
        got = run(OptimizerConfig(rule.__name__, clip_norm=clip_norm))
    params, history = list(START), []
    norms = []
    for t, gradients in enumerate(GRADIENTS):
        norms.append(np.sqrt(sum((g * g).sum() for g in gradients)))
        scale = min(1, clip_norm / norms[-1]) if clip_norm else 1
        history.append([scale * g for g in gradients])
        for k in range(len(SHAPES)):
            params[k] = params[k] - rate(t) * rule([g[k] for g in history], t)
            np.testing.assert_allclose(got[t][k], params[k], rtol=1e-7, atol=1e-10)
    # Some norms are below the clip, some above.
    assert min(norms) < 3
    assert max(norms) > 2


def test_adams_second_moment_has_the_given_decay():
    with jax.enable_x64(True):
        got = run(OptimizerConfig("adam", clip_norm=0, second_moment=0.9))
    params = list(START)
    for t in range(len(GRADIENTS)):
        for k in range(len(SHAPES)):
            params[k] = params[k] - rate(t) * adam([gradients[k] for gradients in GRADIENTS[: t + 1]], t, 0.9)
            np.testing.assert_allclose(got[t][k], params[k], rtol=1e-7, atol=1e-10)


def test_the_first_adagrad_step_has_the_size_of_the_rate():
    """The accumulator starts at zero: g / |g|, and exactly nothing where the gradient is zero."""
    optimizer = make_optimizer(OptimizerConfig("adagrad", clip_norm=0), lambda step: 0.5)
    params = [jnp.zeros(4)]
    updates, _ = optimizer.update([jnp.array([1e-3, -2e3, 0.0, 1e-8])], optimizer.init(params), params)
    np.testing.assert_allclose(updates[0], [-0.5, 0.5, 0.0, -0.5 / 1.01], rtol=1e-5)


def test_the_clip_is_global_and_only_from_above():
    optimizer = make_optimizer(OptimizerConfig("sgd", clip_norm=5.0), lambda step: 1.0)
    params = [jnp.zeros(2), jnp.zeros(1)]
    state = optimizer.init(params)
    # |(6, 0, 8)| = 10 is halved as a whole; |(3, 0, 4)| = 5 is left alone.
    updates, state = optimizer.update([jnp.array([6.0, 0.0]), jnp.array([8.0])], state, params)
    np.testing.assert_allclose(np.concatenate(updates), [-3, 0, -4], rtol=1e-6)
    updates, _ = optimizer.update([jnp.array([3.0, 0.0]), jnp.array([4.0])], state, params)
    np.testing.assert_array_equal(np.concatenate(updates), [-3, 0, -4])


@pytest.mark.parametrize("name", ["sgd", "adam", "adagrad"])
def test_weight_decay_applies_to_matrices_only(name):
    """Decoupled (Loshchilov & Hutter 2019): rate * decay * W is also subtracted from W, and nothing from a bias."""
    params = [jnp.asarray(w) for w in START]
    gradients = [jnp.asarray(g) for g in GRADIENTS[0]]
    updates = []
    for decay in (0.0, 0.2):
        optimizer = make_optimizer(OptimizerConfig(name, clip_norm=1.0, weight_decay=decay), lambda step: 0.5)
        updates.append(optimizer.update(gradients, optimizer.init(params), params)[0])
    (matrix, bias), (decayed_matrix, decayed_bias) = updates
    np.testing.assert_allclose(decayed_matrix - matrix, -0.5 * 0.2 * START[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(decayed_bias, bias)
