"""Ensembles: the mean of several models' probabilities."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def mean_of_probabilities(logits: Sequence[jax.Array]) -> jax.Array:
    """log of the mean of the models' softmaxes: logits whose softmax is that mean. One model's logits stay unchanged.

    Args: logits: f32[..., V] of each model, over the same words.
    """
    if len(logits) == 1:
        return logits[0]
    log_probs = jnp.stack([jax.nn.log_softmax(own.astype(jnp.float32)) for own in logits])
    return jax.nn.logsumexp(log_probs, axis=0) - jnp.log(len(logits))
