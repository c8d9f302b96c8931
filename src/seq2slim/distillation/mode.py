"""Probability of the mode: how much a model gives its most probable output (Kim & Rush 2016, sec. 5.1, table 1)."""

from typing import NamedTuple

import numpy as np


class ModeMass(NamedTuple):
    """Means over sentences, as fractions of 1."""

    mode: float  # p(w*), the most probable hypothesis found
    n_best: float  # sum over the K hypotheses found
    sentences: int


def mode_mass(log_probs: np.ndarray) -> ModeMass:
    """p(w*) = mean over sentences of max_k exp(log p(w_k)), and the mass of the n-best: mean of sum_k exp(log p(w_k)).

    Probabilities are averaged, not their logarithms. A beam finds the mode only approximately: report its width.

    Args: log_probs: f32[N, K], nats of whole hypotheses, distinct within a row, -inf where there is none.
    Raises: ValueError without a sentence, or a log-probability that is above 0 or NaN.
    """
    log_probs = np.asarray(log_probs, np.float64)
    if log_probs.ndim != 2 or not log_probs.size:
        raise ValueError(f"log_probs must be [N, K] with N and K above 0, got the shape {log_probs.shape}")
    if not (log_probs <= 1e-4).all():  # float32 sums may end a little above 0
        raise ValueError(f"a log-probability is at most 0; got {log_probs.max()}")
    probabilities = np.exp(np.minimum(log_probs, 0))
    return ModeMass(float(probabilities.max(1).mean()), float(probabilities.sum(1).mean()), len(log_probs))
