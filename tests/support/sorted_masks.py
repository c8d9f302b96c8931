"""Masks by a full stable sort with NumPy, and weights to select from."""

import numpy as np


def sorted_masks(weights, k, scales=None, kept=None):
    """The masks by a stable argsort of every score: float64 |w| / scale, infinite at scale 0, -1 where pruned."""
    scores = []
    for n, w in enumerate(weights):
        score = np.abs(np.asarray(w, np.float64).ravel())
        if scales is not None:
            score = score / scales[n] if scales[n] else np.full(score.shape, np.inf)
        if kept is not None:
            score = np.where(kept[n].ravel(), score, -1)
        scores.append(score)
    scores = np.concatenate(scores)
    keep = np.ones(scores.size, bool)
    keep[np.argsort(scores, kind="stable")[:k]] = False
    if kept is not None:
        keep &= np.concatenate([mask.ravel() for mask in kept])
    edges = np.cumsum([np.size(w) for w in weights])[:-1]
    return [part.reshape(np.shape(w)) for part, w in zip(np.split(keep, edges), weights)]


def assert_same(masks, expected):
    for mask, wanted in zip(masks, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(mask), wanted)


def normal(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def tied(seed, *shapes):
    """Few distinct magnitudes of both signs, zeros of both signs among them."""
    rng = np.random.default_rng(seed)
    return [(rng.integers(-3, 4, shape) * rng.choice([-0.5, 0.5], shape)).astype(np.float32) for shape in shapes]
