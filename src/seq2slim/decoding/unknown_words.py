"""Unknown-word replacement: an emitted <unk> becomes a translation, or a copy, of the source word it attended to.

Luong, Sutskever et al. 2015 ("Addressing the rare word problem"), aligned by attention as in Luong et al. 2015. Runs
after the search, on the host; the search treats <unk> as any other token.
"""

from collections.abc import Mapping, Sequence

import numpy as np


def source_index(position: np.ndarray, source_length: int, padded_length: int, *, reversed_source: bool) -> np.ndarray:
    """Index of the source token at a padded position of a batch.

    Args:
      position: int array of padded positions, as in `BeamResult.attention`.
      source_length: tokens of the sentence, at most `padded_length`.
      padded_length: S, width of the batch.
      reversed_source: whether rows are reversed and padded on the left; otherwise they are padded on the right.
    Returns: int array like `position`: token index in the order of the text; -1 for padding and for positions outside.
    Raises: ValueError if the sentence is longer than the batch is wide.
    """
    if source_length > padded_length:
        raise ValueError(f"source_length {source_length} is more than the padded length {padded_length}")
    position = np.asarray(position)
    index = padded_length - 1 - position if reversed_source else position
    return np.where((position >= 0) & (index >= 0) & (index < source_length), index, -1)


def replace_unknown_words(
    tokens: Sequence[str],
    unknown: Sequence[bool],
    aligned: Sequence[int],
    source_tokens: Sequence[str],
    dictionary: Mapping[str, str] | None = None,
) -> list[str]:
    """`tokens`, each unknown one replaced by the dictionary's word for its source token, else by that token itself.

    Args:
      tokens: T surfaces of a hypothesis, without EOS.
      unknown: T flags, True where the id is UNK.
      aligned: T indices into `source_tokens` (see `source_index`); -1 keeps the token.
      source_tokens: surfaces of the source.
      dictionary: most probable translation of each source word; None always copies.
    Returns: T surfaces.
    Raises: ValueError if the lengths differ.
    """
    if not len(tokens) == len(unknown) == len(aligned):
        raise ValueError(
            f"tokens, unknown and aligned must have equal lengths, got {len(tokens)}, {len(unknown)} and {len(aligned)}"
        )
    dictionary = dictionary or {}
    replaced = []
    for token, is_unknown, index in zip(tokens, unknown, aligned):
        if is_unknown and 0 <= index < len(source_tokens):
            token = dictionary.get(source_tokens[index], source_tokens[index])
        replaced.append(token)
    return replaced
