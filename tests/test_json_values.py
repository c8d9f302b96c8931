"""Values through strict JSON, against the json module, which reads and writes NaN without being JSON."""

import json
import math
import random

import jax.numpy as jnp
import numpy as np

from seq2slim.json_values import decoded, encoded, plain


def drawn(draw, depth=3):
    """A random tree of dicts, lists and scalars."""
    kind = draw.randrange(8 if depth else 6)
    if kind == 6:
        return [drawn(draw, depth - 1) for _ in range(draw.randrange(4))]
    if kind == 7:
        return {f"name {n}": drawn(draw, depth - 1) for n in range(draw.randrange(4))}
    scalars = (None, draw.random() < 0.5, draw.randint(-9, 9), "text", draw.gauss(0, 1))
    return (*scalars, draw.choice([math.nan, math.inf, -math.inf]))[kind]


def test_any_tree_comes_back_through_strict_json():
    draw = random.Random(0)
    for _ in range(300):
        value = drawn(draw)
        text = json.dumps(encoded(value), allow_nan=False)
        assert repr(decoded(json.loads(text))) == repr(json.loads(json.dumps(value)))


def test_arrays_and_their_scalars_are_lists_and_numbers():
    value = {"loss": np.float32(0.5), "steps": jnp.arange(3), "curve": (np.float64(math.nan), np.int64(2))}
    assert encoded(value) == {"loss": 0.5, "steps": [0, 1, 2], "curve": ["NaN", 2]}
    assert [type(plain(own)) for own in (np.float32(0.5), np.int64(2), np.zeros(2), "x")] == [float, int, list, str]
