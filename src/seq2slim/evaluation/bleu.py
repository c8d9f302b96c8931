"""BLEU by sacreBLEU, with its signature, and paired bootstrap tests."""

from collections.abc import Sequence
from typing import NamedTuple

from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from seq2slim.errors import UserError
from seq2slim.evaluation.bootstrap import Interval, PairedBootstrap


class Bleu(NamedTuple):
    """Corpus BLEU of one system."""

    score: float  # 0..100
    signature: str  # what makes the score comparable: sacreBLEU version, tokenizer, case, smoothing
    precisions: tuple[float, ...]  # of 1- to 4-grams, 0..100
    brevity_penalty: float  # 0..1
    length_ratio: float  # system tokens / reference tokens


def bleu(
    hypotheses: Sequence[str], references: Sequence[str], *, tokenize: str = "13a", lowercase: bool = False
) -> Bleu:
    """Corpus BLEU (Papineni et al. 2002) as sacreBLEU (Post 2018) computes it.

    Args:
      hypotheses: detokenised output, one sentence per line.
      references: detokenised references, same order.
      tokenize: sacreBLEU's tokenizer; "13a" for plain text, "none" for hypotheses and references that are already
        tokenised (the score then compares only with others on the same tokenisation).
      lowercase: compare without case.
    Returns: Bleu.
    Raises: UserError if the line counts differ or are 0, or the tokenizer is unknown.
    """
    _check(hypotheses, references)
    metric = _metric(tokenize, lowercase)
    result = metric.corpus_score(list(hypotheses), [list(references)])
    return Bleu(
        score=result.score,
        signature=str(metric.get_signature()),
        precisions=tuple(result.precisions),
        brevity_penalty=result.bp,
        length_ratio=result.ratio,
    )


def paired_bootstrap(
    baseline: Sequence[str],
    system: Sequence[str],
    references: Sequence[str],
    *,
    samples: int = 1000,
    tokenize: str = "13a",
    lowercase: bool = False,
) -> PairedBootstrap:
    """Paired bootstrap resampling of two systems (Koehn 2004): sacreBLEU's test.

    The seed is sacreBLEU's fixed 12345 (its environment variable SACREBLEU_SEED overrides it); the signature names it.
    For two equal scores p is 1: every resample differs at least as much. (sacreBLEU itself gives 1 / (samples + 1), its
    smallest value, when a system is compared with itself.)

    Args:
      baseline, system, references: detokenised lines in the same order.
      samples: resamples of the test set.
      tokenize, lowercase: as in `bleu`.
    Returns: PairedBootstrap; a p-value below 0.05 is commonly read as a real difference.
    Raises: UserError as in `bleu`, or if samples is below 1.
    """
    _check(baseline, references)
    _check(system, references)
    if samples < 1:
        raise UserError(f"samples must be at least 1, got {samples}")
    test = PairedTest(
        [("baseline", list(baseline)), ("system", list(system))],
        {"BLEU": _metric(tokenize, lowercase)},
        [list(references)],
        test_type="bs",
        n_samples=samples,
    )
    signatures, scores = test()
    (signature,) = signatures.values()
    first, second = scores[next(iter(signatures))]
    p_value = 1.0 if first.score == second.score else float(second.p_value)
    return PairedBootstrap(_interval(first), _interval(second), p_value, str(signature))


def check_tokenizer(tokenize: str):
    """Raises: UserError if sacreBLEU has no such tokenizer, RuntimeError if its package is not installed."""
    _metric(tokenize, lowercase=False)


def _metric(tokenize: str, lowercase: bool) -> BLEU:
    if tokenize not in BLEU.TOKENIZERS:
        raise UserError(f"tokenize must be one of {sorted(BLEU.TOKENIZERS)}, got {tokenize!r}")
    # force: sacreBLEU otherwise warns on every call when lines end in " .", as with word vocabularies.
    return BLEU(tokenize=tokenize, lowercase=lowercase, force=True)


def _interval(result) -> Interval:
    return Interval(float(result.score), float(result.mean), float(result.ci))


def _check(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if len(hypotheses) != len(references):
        raise UserError(f"as many hypotheses as references are needed, got {len(hypotheses)} and {len(references)}")
    if not references:
        raise UserError("BLEU of an empty test set is undefined")
