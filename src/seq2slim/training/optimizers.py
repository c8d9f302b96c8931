"""Update rules as the papers define them, made of optax transformations."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from seq2slim.training.config import OptimizerConfig

ADAGRAD_EPSILON = 1e-10  # torch.optim and the papers' code


class AdagradState(NamedTuple):
    """Sum of squared gradients so far, like params."""

    sum_of_squares: optax.Updates


def scale_by_adagrad(epsilon: float = ADAGRAD_EPSILON) -> optax.GradientTransformation:
    """g / (sqrt(sum of g^2) + epsilon), the sum starting at zero (Duchi et al. 2011, as in the papers' Torch code).

    Args: epsilon: added outside the root.
    Returns: an optax transformation that scales gradients; its state is an `AdagradState`.
    """

    def init(params):
        return AdagradState(jax.tree.map(jnp.zeros_like, params))

    def update(gradients, state, params=None):
        del params
        sums = jax.tree.map(lambda total, g: total + g * g, state.sum_of_squares, gradients)
        return jax.tree.map(lambda g, total: g / (jnp.sqrt(total) + epsilon), gradients, sums), AdagradState(sums)

    return optax.GradientTransformation(init, update)


def make_optimizer(config: OptimizerConfig, rate: optax.Schedule) -> optax.GradientTransformation:
    """Clip by global norm, then the named rule, at `rate(step)`.

    g <- g min(1, clip_norm / |g|), with |g| over all leaves (Luong et al. 2015: 5), then w <- w - rate(step) rule(g).

    This follows the papers' prose. Luong's code differs: it leaves both embeddings out of |g| but scales their
    gradients too, and it clips h, c and their gradients elementwise.

    With weight decay d, rate(step) d W is also subtracted from every matrix W (never from a bias).

    Args: config: rule, clip norm and decay; its learning rate is not read. rate: step -> learning rate.
    """
    adam = partial(optax.scale_by_adam, b2=config.second_moment)
    rule = {"sgd": optax.identity, "adam": adam, "adagrad": scale_by_adagrad}[config.name]()
    clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()
    decay = optax.identity()
    if config.weight_decay:
        matrices = partial(jax.tree.map, lambda leaf: leaf.ndim >= 2)
        decay = optax.add_decayed_weights(config.weight_decay, mask=matrices)
    return optax.chain(clip, rule, decay, optax.scale_by_learning_rate(rate))
