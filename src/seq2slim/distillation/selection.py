"""Sequence-level interpolation (Kim & Rush 2016, sec. 3.3): of a teacher's K best, the nearest to the reference."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from seq2slim.errors import UserError

ORDER = 4
Smoothing = Literal["halving", "sacrebleu"]


def n_grams(tokens: Sequence[str]) -> list[Counter]:
    """Counts of the n-grams of each order 1..4."""
    return [Counter(zip(*(tokens[shift:] for shift in range(n)))) for n in range(1, ORDER + 1)]


def sentence_bleu(hypothesis: Sequence[str], reference: Sequence[str]) -> float:
    """Smoothed BLEU of one sentence, as in the authors' code, in [0, 1].

    exp(1 - max(1, r / c)) prod_n p_n^(1/4) over n = 1..4 with p_n = matches / n-grams of the hypothesis. The k-th order
    without a match counts 2^-k matches. Orders longer than the hypothesis are left out of the product, while the
    exponent stays 1/4.

    Args: hypothesis, reference: tokens.
    Returns: 0 for an empty hypothesis or reference.
    """
    return _halving(hypothesis, n_grams(reference), len(reference))


def _halving(hypothesis: Sequence[str], reference: list[Counter], length: int) -> float:
    if not hypothesis or not length:
        return 0.0
    smooth, log_bleu = 1.0, 1 - max(1.0, length / len(hypothesis))
    for n, (own, theirs) in enumerate(zip(n_grams(hypothesis), reference), start=1):
        total = len(hypothesis) - n + 1
        if total < 1:
            break
        matches = float((own & theirs).total())
        if not matches:
            smooth /= 2
            matches = smooth
        log_bleu += math.log(matches / total) / ORDER
    return math.exp(log_bleu)


def scorer(smoothing: Smoothing = "halving", tokenize: str = "13a") -> Callable[[str, str], float]:
    """(hypothesis, reference), both as text -> smoothed sentence-BLEU in [0, 1]. Caches the last reference's counts.

    Args:
      smoothing: `halving` is the authors' (see `sentence_bleu`), `sacrebleu` is sacreBLEU's sentence-BLEU ("exp", with
        the effective order).
      tokenize: "13a" for plain text, "none" where both sides are tokenised.
    Raises: UserError for any other smoothing or tokenizer.
    """
    if tokenize not in ("13a", "none"):
        raise UserError(f"tokenize must be '13a' or 'none', got {tokenize!r}")
    if smoothing == "sacrebleu":
        metric = BLEU(effective_order=True, tokenize=tokenize)
        return lambda hypothesis, reference: metric.sentence_score(hypothesis, [reference]).score / 100
    if smoothing != "halving":
        raise UserError(f"smoothing must be 'halving' or 'sacrebleu', got {smoothing!r}")
    rules = Tokenizer13a()

    def tokens(text: str) -> list[str]:
        return (rules(text) if tokenize == "13a" else text).split()

    @lru_cache(maxsize=1)
    def counted(reference: str) -> tuple[list[Counter], int]:
        words = tokens(reference)
        return n_grams(words), len(words)

    return lambda hypothesis, reference: _halving(tokens(hypothesis), *counted(reference))


def nearest(hypotheses: Sequence[str], reference: str, score: Callable[[str, str], float]) -> tuple[int, float]:
    """(index, score) of the hypothesis with the highest score; ties go to the first, the teacher's best.

    Raises: UserError without a hypothesis.
    """
    if not hypotheses:
        raise ValueError("there is no hypothesis to choose from")
    scores = [score(hypothesis, reference) for hypothesis in hypotheses]
    index = max(range(len(scores)), key=lambda i: (scores[i], -i))
    return index, scores[index]
