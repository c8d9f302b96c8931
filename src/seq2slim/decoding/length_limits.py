"""Limits on the length of a translation, as functions of the source length.

Source lengths count tokens without EOS (the source has none); limits count tokens of the translation including EOS, as
`beam_search` does. All functions take an int, a numpy or a jax integer array and return the same type. A source of
length 0 (an empty line, a filling row) gets the limits 0, 0: no translation is searched for.
Every limit grows with the source length, so `limits(S).max_length` steps are enough for a batch padded to S.
"""

from typing import Any, NamedTuple


class LengthLimits(NamedTuple):
    """Fewest and most tokens of a translation, EOS included."""

    min_length: Any
    max_length: Any


def paper_limits(source_length: Any) -> LengthLimits:
    """Between half and one and a half times as many words as the source (Luong et al. 2015, their decoder).

    A translation has more than S / 2 words and at most 3 S / 2, for a source of S tokens, and an EOS.

    Args:
      source_length: int32[B] or an int, tokens.
    Returns: LengthLimits, each like `source_length`.
    """
    some = source_length > 0
    return LengthLimits(some * (source_length // 2 + 2), some * (3 * source_length // 2 + 1))


def wide_limits(source_length: Any) -> LengthLimits:
    """At least one word, at most the larger of 3 S / 2 and S + 10 words, and an EOS.

    The ten words allow long translations of short sources; the limit ends runaway repetition.

    Args:
      source_length: int32[B] or an int, tokens.
    Returns: LengthLimits, each like `source_length`.
    """
    some = source_length > 0
    # max(3 S / 2, S + 10) = S + max(S / 2, 10), written so that it needs no array library
    half = source_length // 2
    return LengthLimits(some * (source_length * 0 + 2), some * (source_length + 10 + (half > 10) * (half - 10) + 1))


LIMITS = {"paper": paper_limits, "wide": wide_limits}
