"""Claims of See et al. (2016) on retraining: figures 6 and 7, section 4.3, abstract. See `claims`."""

import itertools
from collections.abc import Callable

from experiments.see2016.evidence import Claim, Evidence, Found, NotRun, needed, together
from experiments.see2016.rows import (
    BASELINE,
    CONTROL,
    NATS,
    Difference,
    better_dense,
    difference,
    gap,
    mean_and_deviation,
    retrained,
    valid_loss,
)
from seq2slim.evaluation.statistics import pooled_noise

CLOSE = 1.0  # BLEU: our reading of "close"


def retrained_to_eighty(evidence: Evidence) -> Found:
    """Holds if no percentage up to 80 ends below the baseline by more than noise.

    Only percentages with the most seeds are judged; 80 must be one of them.
    """
    rows = evidence.main("fig6_retraining")
    own = {x: difference(rows, retrained(x), BASELINE) for x in rows.percents(model="retrained") if x <= 80}
    own = {x: found for x, found in own.items() if found}
    if 80.0 not in own:
        raise NotRun
    text = "; ".join(f"{x:g}%: {found}" for x, found in own.items())
    judged = [x for x, found in own.items() if found.seeds == max(other.seeds for other in own.values())]
    verdict = together(own[x].not_below() for x in judged)
    return f"against the baseline {text}", verdict if 80.0 in judged else None


def gain_at_eighty(evidence: Evidence) -> Found:
    """Holds if retrained 80% is above the baseline by more than noise."""
    return _retrained(evidence, 80.0, Difference.above)


def loss_at_ninety(evidence: Evidence) -> Found:
    """Holds if retrained 90% loses at most the paper's 0.35 BLEU, or more only by noise."""
    return _retrained(evidence, 90.0, lambda found: found.not_below(-0.35))


def sparse_from_the_beginning(evidence: Evidence) -> Found:
    """Holds if it ends below baseline and retrained by more than noise at every percentage with the most seeds.

    Noise is pooled over these differences only: models from new random weights vary more than retrained ones.
    """
    found, repeated = _sparse(evidence)
    text = "; ".join(f"{x:g}%: {pair[0]}, {pair[1]}" for x, pair in found.items())
    return f"against baseline, retrained: {text}", together(own.below() for x in repeated for own in found[x])


def sparse_ends_close(evidence: Evidence) -> Found:
    """Holds if sparse from the beginning is at most CLOSE below the baseline at every percentage."""
    found, _ = _sparse(evidence)
    text = "; ".join(f"{x:g}%: {below}" for x, (below, _) in found.items())
    return f"against the baseline {text}", all(below.mean >= -CLOSE for below, _ in found.values())


def gap_shrinks(evidence: Evidence) -> Found:
    """Holds if from the control (0%) to the sparsest no rise of the gap exceeds noise, and the whole fall does.

    Only percentages with the most seeds are judged.
    """
    rows = evidence.main("regularisation")
    systems = [CONTROL, *(retrained(x) for x in rows.percents(model="retrained"))]
    judged = [CONTROL, *map(retrained, rows.repeated(model="retrained"))]
    rises = [needed(difference(rows, high, low, gap)) for low, high in itertools.pairwise(judged)]
    whole = needed(difference(rows, judged[-1], CONTROL, gap) if rises else None)
    shown = {"baseline": BASELINE, "control": CONTROL} | {f"{own['percent']:g}%": own for own in systems[1:]}
    spreads = {name: rows.spread(gap, **own) for name, own in shown.items()}
    text = ", ".join(f"{name}: {mean_and_deviation(found, 3)}" for name, found in spreads.items() if found)
    rose = [found.above() for found in rises]
    return f"valid - train, nats: {text}", together([whole.below(), *(None if up is None else not up for up in rose)])


def fifty_beats_ninety(evidence: Evidence) -> Found:
    """Holds if the validation loss of the 50% model is lower by more than noise."""
    rows = evidence.main("regularisation")
    found = needed(difference(rows, retrained(50.0), retrained(90.0), valid_loss))
    return f"{found} nats per token on valid", found.below()


def falls_below_the_best(evidence: Evidence) -> Found:
    """Holds if the best loss of retraining is below the best of the baseline by more than noise."""
    rows = evidence.main("fig7_loss")
    systems = [retrained(80.0), CONTROL]
    values = [rows.differences("best_loss", system, BASELINE) for system in systems]
    if not all(values):
        raise NotRun
    pooled = pooled_noise(values)
    own, control = (Difference(value, pooled, NATS) for value in values)
    jump = needed(rows.spread("first_loss", **retrained(80.0)))
    text = f"jump to {jump.mean:.2f}; best {own.mean:+.3f} against the baseline's{', noise' if own.is_noise else ''}"
    return f"{text} (control {control.mean:+.3f})", own.below()


def no_loss_at_twenty(evidence: Evidence) -> Found:
    """Holds if retrained 80% is not below the better of baseline and control by more than noise."""
    rows = evidence.main("fig6_retraining")
    better = needed(better_dense(rows))
    found = needed(difference(rows, retrained(80.0), {"model": better, "percent": 0.0}))
    return f"{found} BLEU against the better, the {better}", found.not_below()


def _sparse(evidence: Evidence) -> tuple[dict[float, list[Difference]], list[float]]:
    """Percent -> sparse from the beginning minus (baseline, retrained); and the percentages with the most seeds."""
    rows = evidence.main("fig6_retraining")

    def over(x: float, other: dict) -> list[float]:
        return rows.differences("beam_bleu", {"model": "sparse", "percent": x}, other)

    values = {x: [over(x, other) for other in (BASELINE, retrained(x))] for x in rows.percents(model="sparse")}
    values = {x: pair for x, pair in values.items() if all(pair)}
    if not values:
        raise NotRun
    pooled = pooled_noise([own for pair in values.values() for own in pair])
    found = {x: [Difference(own, pooled) for own in pair] for x, pair in values.items()}
    return found, [x for x in rows.repeated(model="sparse") if x in found]


def _retrained(evidence: Evidence, x: float, holds: Callable[[Difference], bool | None]) -> Found:
    rows = evidence.main("fig6_retraining")
    found = needed(difference(rows, retrained(x), BASELINE))
    control = difference(rows, retrained(x), CONTROL)
    level = mean_and_deviation(rows.spread("beam_bleu", **retrained(x)))
    text = f"{level}; {found} against the baseline" + (f", {control} against the control" if control else "")
    return text, holds(found)


CLAIMS = (
    Claim("fig. 6", "retrained, at least the baseline up to 80%", "yes", "fig6_retraining", retrained_to_eighty),
    Claim("fig. 6", "80% retrained is better than the baseline", "20.91 (+0.43)", "fig6_retraining", gain_at_eighty),
    Claim("fig. 6", "90% retrained loses little", "20.13 (-0.35)", "fig6_retraining", loss_at_ninety),
    Claim("fig. 6", "sparse from the beginning stays below baseline and retrained", "yes", "fig6_retraining",
          sparse_from_the_beginning),
    Claim("fig. 6", "sparse from the beginning ends close to the baseline",
          f"yes, 50 to 90% (here: at most {CLOSE:g} BLEU below)", "fig6_retraining", sparse_ends_close),
    Claim("4.3", "the more is pruned, the smaller the gap of valid and train", "yes", "regularisation", gap_shrinks),
    Claim("4.3", "50% retrained beats 90% retrained on valid", "yes", "regularisation", fifty_beats_ninety),
    Claim("fig. 7", "retraining takes the loss below the baseline's best", "yes", "fig7_loss", falls_below_the_best),
    Claim("abstract", "80% goes with no loss at all", "yes", "fig6_retraining", no_loss_at_twenty),
)  # fmt: skip
