"""From batches to lines of text: the host loop around a jitted search."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from seq2slim.data.batching import Batch
from seq2slim.data.vocabulary import Vocabulary
from seq2slim.decoding.hypotheses import BeamResult
from seq2slim.decoding.unknown_words import replace_unknown_words, source_index
from seq2slim.errors import UserError
from seq2slim.special_ids import EOS, PAD, UNK

Search = Callable[[Batch], BeamResult]


class UnknownWords(NamedTuple):
    """Inputs of unknown-word replacement, besides the attention."""

    source_lines: Sequence[str]  # all lines of the split, by line number
    source_vocabulary: Vocabulary
    reversed_source: bool  # whether the batches hold reversed sources
    dictionary: Mapping[str, str] | None = None  # source word -> target word; None copies always


def search_lines(search: Search, batches: Iterable[Batch]) -> Iterator[tuple[int, np.ndarray, BeamResult]]:
    """The n-best of every line, in the order of the batches: (line number, source int32[S], BeamResult [K] and [K, T]).

    Results are numpy arrays. Filling rows (id -1) are left out. The search runs one batch ahead of the
    caller, so the device works while the host detokenises.
    """

    def lines(batch: Batch, result: BeamResult):
        result = BeamResult(*(np.asarray(field) for field in result))
        for row, line in enumerate(np.asarray(batch.ids)):
            if line >= 0:
                yield int(line), np.asarray(batch.source[row]), BeamResult(*(field[row] for field in result))

    before = None
    for batch in batches:
        ahead = batch, search(batch)
        if before is not None:
            yield from lines(*before)
        before = ahead
    if before is not None:
        yield from lines(*before)


def hypothesis_text(
    result: BeamResult,
    rank: int,
    line: int,
    source: np.ndarray,
    vocabulary: Vocabulary,
    unknown_words: UnknownWords | None = None,
) -> str:
    """One hypothesis of one line as text.

    Args:
      result: of the line, [K] and [K, T], as from `search_lines`. rank: of the hypothesis, 0 is the best.
      line, source: the line's number and its padded row int32[S].
      vocabulary, unknown_words: as in `translate`.
    """
    words = int(result.length[rank])
    words -= bool(words and result.tokens[rank, words - 1] == EOS)  # outputs of a fixed length have none
    ids = result.tokens[rank, :words]
    if unknown_words is None or UNK not in ids:
        return vocabulary.decode(ids)
    aligned = source_index(
        result.attention[rank, :words],
        int((source != PAD).sum()),
        len(source),
        reversed_source=unknown_words.reversed_source,
    )
    source_tokens = unknown_words.source_vocabulary.tokens(unknown_words.source_lines[line])
    tokens = [vocabulary.token(int(token_id)) for token_id in ids]
    return vocabulary.join(replace_unknown_words(tokens, ids == UNK, aligned, source_tokens, unknown_words.dictionary))


# (result, rank, line, source, vocabulary, unknown_words) -> the text of a hypothesis
ToText = Callable[[BeamResult, int, int, np.ndarray, Vocabulary, UnknownWords | None], str]


def translate(
    search: Search,
    batches: Iterable[Batch],
    vocabulary: Vocabulary,
    count: int,
    unknown_words: UnknownWords | None = None,
    to_text: ToText = hypothesis_text,
) -> list[str]:
    """The best hypothesis of every line as text, in line order.

    Args:
      search: batch -> BeamResult; a jitted function, compiled once per batch shape.
      batches: every line once, in any order.
      vocabulary: the target vocabulary.
      count: lines of the split. An empty source gives an empty line, whatever the search finds.
      unknown_words: replace <unk> through the attention; None leaves "<unk>" in the text.
      to_text: makes the text of a hypothesis.
    Returns: `count` strings.
    Raises: UserError naming a line whose number is `count` or more, that occurs twice or never, or for which the search
      found no hypothesis (every score was NaN or -inf).
    """
    texts: list[str | None] = [None] * count
    for line, source, result in search_lines(search, batches):
        if line >= count:
            raise ValueError(f"line {line} in a batch, but the split has {count} lines")
        if texts[line] is not None:
            raise ValueError(f"line {line} is in two batches")
        if not (source != PAD).any():
            texts[line] = ""
            continue
        if not result.length[0]:
            raise UserError(f"no hypothesis for line {line}: every score was NaN or -inf; are the parameters finite?")
        texts[line] = to_text(result, 0, line, source, vocabulary, unknown_words)
    missing = [line for line, text in enumerate(texts) if text is None]
    if missing:
        raise ValueError(f"{len(missing)} of {count} lines are in no batch, the first is line {missing[0]}")
    return texts
