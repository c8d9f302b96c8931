"""One-dimensional k-means: Lloyd's iteration on sorted, weighted points, where each cluster is an interval.

With prefix sums of the weights and of weight times point, one iteration costs k binary searches.
"""

import numpy as np

_EXACT = 1 << 22  # more values are counted in bins first
_KEY_BITS = 20
_SEGMENT = 1 << 20
_ITERATIONS = 1000


def codebook(values: np.ndarray, entries: int) -> np.ndarray:
    """At most `entries` values that replace `values`, ascending and distinct; deterministic.

    k-means from centres spaced evenly between the extremes (Han et al. 2016, sec. 3.2, "linear"), which keeps the few
    large weights represented; entries without a value are left out. If some value is exactly 0, one entry is
    0. More than 4 million values are first counted in bins of 0.05% of their size, so memory is bounded.

    Args: values: finite f32[n], n > 0. entries: k >= 2.
    Returns: f32[<= k].
    """
    points, weights = _points(values)
    zero = [] if values.all() else [0.0]
    if len(points) > entries - len(zero):
        centres, members = kmeans(points, weights, np.linspace(points[0], points[-1], entries - len(zero)))
        points = centres[members > 0]
    return np.unique(np.append(points, zero).astype(np.float32))


def nearest(centres: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Index of the entry nearest to each value, uint8[n]; ties go to the lower entry.

    Args: centres: f32[k], ascending and distinct, k <= 256. values: f32[n].
    """
    wide = centres.astype(np.float64)
    return np.searchsorted((wide[1:] + wide[:-1]) / 2, values).astype(np.uint8)


def kmeans(points: np.ndarray, weights: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lloyd's iteration to convergence: each centre becomes the weighted mean of the points nearest to it.

    A point halfway between two centres belongs to the lower one; a centre without points stays where it is.

    Args: points: f64[n], ascending. weights: f64[n], positive. centres: f64[k], ascending, at the start.
    Returns: (centres f64[k], total weight of the points of each f64[k]).
    """
    weight_before = np.concatenate([[0.0], np.cumsum(weights)])
    sum_before = np.concatenate([[0.0], np.cumsum(weights * points)])
    edges = members = None
    for _ in range(_ITERATIONS):
        inner = np.searchsorted(points, (centres[1:] + centres[:-1]) / 2, side="right")
        found = np.concatenate([[0], inner, [len(points)]])
        if edges is not None and np.array_equal(found, edges):
            break
        edges = found
        members = np.diff(weight_before[edges])
        sums = np.diff(sum_before[edges])
        # Differences of prefix sums cancel where points differ by many powers of ten: a mean lies among its points.
        last = len(points) - 1
        lowest, highest = points[np.minimum(edges[:-1], last)], points[np.maximum(edges[1:] - 1, 0)]
        means = np.clip(sums / np.where(members > 0, members, 1), lowest, np.maximum(lowest, highest))
        centres = np.where(members > 0, means, centres)
    return centres, members


def _points(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights that stand for the nonzero values: the distinct values, or the means of bins."""
    if len(values) <= _EXACT:
        points, counts = np.unique(values[values != 0], return_counts=True)
        return points.astype(np.float64), counts.astype(np.float64)
    # The upper bits of a float32 order it among values of its sign; bins this narrow fit any distribution.
    counts, sums = np.zeros((2, 1 << _KEY_BITS))
    for start in range(0, len(values), _SEGMENT):
        piece = values[start : start + _SEGMENT]
        piece = piece[piece != 0]
        keys = piece.view(np.uint32) >> np.uint32(32 - _KEY_BITS)
        counts += np.bincount(keys, minlength=len(counts))
        sums += np.bincount(keys, piece, minlength=len(counts))
    filled = np.flatnonzero(counts)
    means = sums[filled] / counts[filled]
    order = np.argsort(means, kind="stable")
    return means[order], counts[filled][order]
