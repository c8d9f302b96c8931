"""Values as JSON. NaN and the infinities, which JSON lacks, are the strings "NaN", "Infinity" and "-Infinity"."""

import math
from typing import Any

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def plain(value: Any) -> Any:
    """Scalars of numpy and jax as Python numbers, arrays as lists; everything else unchanged."""
    return value.tolist() if hasattr(value, "tolist") else value


def encoded(value: Any) -> Any:
    """`value` (dicts, lists, scalars, arrays) as valid JSON: NaN and infinities as strings. Inverse: `decoded`."""
    value = plain(value)
    if isinstance(value, dict):
        return {name: encoded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def decoded(value: Any) -> Any:
    """`value` with the strings of `encoded` as floats again."""
    if isinstance(value, dict):
        return {name: decoded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [decoded(inner) for inner in value]
    return _NON_FINITE.get(value, value) if isinstance(value, str) else value
