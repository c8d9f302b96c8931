"""Every claim of See, Luong & Manning (2016), each with the rule that says from the rows whether it holds here.

A rule takes `Evidence` and returns what was found, in words, and True (holds), False (does not hold at this scale) or
None (cannot be tested here). A rule that asks for a row that is not there raises `NotRun`.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

from experiments import claims_redundancy, fig4_breakdown, fig5_magnitude
from experiments.evidence import Evidence, NotRun, needed
from experiments.study import SCHEMES
from experiments.study_rows import (
    BASELINE,
    CONTROL,
    NATS,
    Difference,
    better_dense,
    difference,
    gap,
    mean_and_deviation,
    noise,
    retrained,
    valid_loss,
)
from seq2slim.evaluation.statistics import growth, knee, permutation_p, pooled_noise, spearman

LITTLE = 1.0  # BLEU: "little" loss (sec. 4.2); of the paper's 20.5 about 5%
NO_LOSS = 0.5  # BLEU: "no loss", where one seed gives no noise to measure it by
VERDICTS = {True: "holds", False: "does not hold at this scale", None: "cannot be tested here"}

Found = tuple[str, bool | None]


class Claim(NamedTuple):
    """One row of the table. `experiment` has the rows, and the figure whose name ends in `figure`."""

    where: str
    claim: str
    paper: str
    experiment: str
    rule: Callable[[Evidence], Found]
    figure: str = ""


def judge(claim: Claim, evidence: Evidence) -> dict[str, str]:
    """The row of the table: what was found here and the verdict; "not run" where rows are missing."""
    try:
        ours, verdict = claim.rule(evidence)
    except NotRun:
        ours, verdict = "-", "not run"
    shown = verdict if verdict == "not run" else VERDICTS[verdict]
    return {"where": claim.where, "claim": claim.claim, "paper": claim.paper, "here": ours, "verdict": shown}


def baseline(evidence: Evidence) -> Found:
    """Numbers of another corpus and a larger model: shown, not judged."""
    rows = evidence.main("fig6_retraining")
    parts = [f"{n} {mean_and_deviation(needed(rows.spread(n, **BASELINE)))}" for n in ("perplexity", "beam_bleu")]
    return f"{', '.join(parts)} (other text, a smaller model)".replace("beam_bleu", "BLEU"), None


def class_blind_is_best(evidence: Evidence, experiment: str = "fig3_schemes") -> Found:
    """Holds if class-blind is above both others at most percentages, and nowhere below by more than noise."""
    rows = evidence.main(experiment)

    def of(scheme, x):
        return {"model": "pruned", "scheme": scheme, "percent": x}

    margins, repeated = {}, []
    for x in rows.percents(scheme="class_uniform"):
        own = [rows.differences("beam_bleu", of(SCHEMES[0], x), of(other, x)) for other in SCHEMES[1:]]
        repeated += own
        margins[x] = min(([sum(d) / len(d), len(d)] for d in own if d), default=None)
    margins = {x: margin for x, margin in margins.items() if margin}
    if not margins:
        raise NotRun
    pooled = pooled_noise([d for d in repeated if d])
    above = sum(margin > 0 for margin, _ in margins.values())
    below = [x for x, (margin, seeds) in margins.items() if margin < -(pooled.of(seeds) if pooled else 0)]
    worst = min(margins, key=lambda x: margins[x][0])
    text = f"highest at {above} of {len(margins)} percentages; at worst {margins[worst][0]:+.2f} BLEU, at {worst:g}%"
    return text, above > len(margins) / 2 and not below


def uniform_hits_three_classes(evidence: Evidence) -> Found:
    """Holds if the three largest increases under class-uniform are those of the classes that the paper names."""
    own = _breakdown(evidence, "class_uniform")
    names = [row["class"] for row in own]
    named = {max(name for name in names if name.startswith("target layer")), "attention", "softmax"}
    largest = [row["class"] for row in sorted(own, key=lambda row: -row["increase"])[:3]]
    return f"largest: {', '.join(largest)}", set(largest) == named if named <= set(names) else None


def blind_is_flatter(evidence: Evidence) -> Found:
    """Holds if the highest bar of class-blind is below the highest of class-uniform."""
    blind, uniform = (max(row["increase"] for row in _breakdown(evidence, s)) for s in SCHEMES[:2])
    return f"highest increase of perplexity {blind:.2f}, class-uniform {uniform:.2f}", blind < uniform


def blind_follows_size(evidence: Evidence) -> Found:
    """Holds if size of a class and increase of perplexity correlate in rank, p < 0.05."""
    own = _breakdown(evidence, "class_blind")
    x, y = ([row[name] for row in own] for name in ("class_weights", "increase"))
    p = permutation_p(x, y)
    return f"rank correlation {spearman(x, y):+.2f} (p = {p:.3f}, {len(own)} classes)", p < 0.05


def threshold_predicts_damage(evidence: Evidence) -> Found:
    """Holds if the rank correlation is positive with p < 0.05."""
    rho, p, count = fig5_magnitude.correlation(evidence.main("fig5_magnitude"))
    return f"rank correlation {rho:+.2f} (p = {p:.3f}, {count} classes)", p < 0.05


def forty_percent_for_little(evidence: Evidence) -> Found:
    """Holds if class-blind loses at most LITTLE at 40%."""
    losses = _losses(evidence)
    at_forty = needed(dict(losses).get(40.0))
    knees = [f"{knee(*zip((0.0, 0.0), *losses), allowed):.0f}% for {allowed:g}" for allowed in (NO_LOSS, LITTLE)]
    return f"{-at_forty:+.2f} BLEU at 40%; prunable: {', '.join(knees)} BLEU", at_forty <= LITTLE


def exponential_loss(evidence: Evidence) -> Found:
    """Holds if an exponential of the percentage explains the rise of log perplexity, R^2 >= 0.9, better than a line."""
    rows = evidence.main("fig3_schemes")
    own = {"model": "pruned", "scheme": "class_blind"}
    points = [
        (x, rows.differences(_test_loss, own | {"percent": x}, BASELINE)) for x in rows.percents(scheme="class_blind")
    ]
    points = [(x, sum(d) / len(d)) for x, d in points if d]
    if len(points) < 3:
        raise NotRun
    found = growth(*zip(*points))
    text = f"loss grows {100 * found.rate:.1f}% a point; R² {found.exponential:.2f}, of a line {found.straight:.2f}"
    return text, found.exponential >= 0.9 and found.exponential > found.straight


def retrained_to_eighty(evidence: Evidence) -> Found:
    """Holds if no percentage up to 80 ends below the baseline by more than noise."""
    rows = evidence.main("fig6_retraining")
    own = {x: difference(rows, retrained(x), BASELINE) for x in rows.percents(model="retrained") if x <= 80}
    own = {x: found for x, found in own.items() if found}
    if 80.0 not in own:
        raise NotRun
    text = "; ".join(f"{x:g}%: {found}" for x, found in own.items())
    return f"against the baseline {text}", together(found.not_below() for found in own.values())


def gain_at_eighty(evidence: Evidence) -> Found:
    """Holds if retrained 80% is above the baseline by more than noise."""
    return _retrained(evidence, 80.0, Difference.above)


def loss_at_ninety(evidence: Evidence) -> Found:
    """Holds if retrained 90% loses no more than the paper's 0.35 BLEU, or what is more is noise."""
    return _retrained(evidence, 90.0, lambda found: found.not_below(-0.35))


def sparse_from_the_beginning(evidence: Evidence) -> Found:
    """Holds if at every percentage it ends below baseline and retrained by more than noise."""
    rows = evidence.main("fig6_retraining")
    texts, below = [], []
    for x in rows.percents(model="sparse"):
        pair = [difference(rows, {"model": "sparse", "percent": x}, other) for other in (BASELINE, retrained(x))]
        if all(pair):
            texts.append(f"{x:g}%: {pair[0]}, {pair[1]}")
            below += [found.below() for found in pair]
    if not texts:
        raise NotRun
    return f"against baseline, retrained: {'; '.join(texts)}", together(below)


def gap_shrinks(evidence: Evidence) -> Found:
    """Holds if the gap falls from each percentage to the next, in the mean over the seeds that have both."""
    rows = evidence.main("regularisation")
    percents = rows.percents(model="retrained")
    falls = [rows.differences(gap, retrained(low), retrained(high)) for low, high in itertools.pairwise(percents)]
    if not falls or not all(falls):
        raise NotRun
    text = ", ".join(f"{x:g}%: {mean_and_deviation(rows.spread(gap, **retrained(x)), 3)}" for x in percents)
    return f"valid - train, nats: {text}", all(sum(fall) > 0 for fall in falls)


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


def file_shrinks(evidence: Evidence) -> Found:
    """Holds if the 80% model, stored as the paper stored it, is at least 65% smaller than the baseline."""
    rows = evidence.main("storage").of(codec="float32")
    before, after = (rows.spread("deflated_bytes", model=name) for name in ("baseline", "retrained"))
    shrunk = 1 - needed(after).mean / needed(before).mean
    ratio = needed(rows.spread("ratio", model="retrained")).mean
    return f"{shrunk:.1%} smaller; as a lossless sparse file {ratio:.2f} times smaller than float32", shrunk >= 0.65


def small_at_sixty(evidence: Evidence) -> Found:
    """Holds if 60%, not retrained, loses at most NO_LOSS."""
    system = {"model": "pruned", "scheme": "class_blind", "percent": 60.0}
    found = needed(difference(evidence.of("small_model"), system, BASELINE))
    return f"{found} BLEU of {_level(evidence)}", found.mean >= -NO_LOSS


def small_at_ninety(evidence: Evidence) -> Found:
    """Holds if 90%, retrained, ends at most NO_LOSS below the baseline."""
    rows = evidence.of("small_model")
    found = needed(difference(rows, retrained(90.0), BASELINE))
    control = needed(difference(rows, retrained(90.0), CONTROL))
    return f"{found} BLEU of {_level(evidence)} ({control} against the control)", found.mean >= -NO_LOSS


def no_loss_at_twenty(evidence: Evidence) -> Found:
    """Holds if retrained 80% is not below the better of baseline and control by more than noise."""
    rows = evidence.main("fig6_retraining")
    better = needed(better_dense(rows))
    found = needed(difference(rows, retrained(80.0), {"model": better, "percent": 0.0}))
    return f"{found} BLEU against the better, the {better}", found.not_below()


def together(verdicts: Iterable[bool | None]) -> bool | None:
    """False if one is, else None if one is, else True."""
    verdicts = list(verdicts)
    return False if False in verdicts else None if None in verdicts else True


def _retrained(evidence: Evidence, x: float, holds: Callable[[Difference], bool | None]) -> Found:
    rows = evidence.main("fig6_retraining")
    found = needed(difference(rows, retrained(x), BASELINE))
    control = difference(rows, retrained(x), CONTROL)
    level = mean_and_deviation(rows.spread("beam_bleu", **retrained(x)))
    text = f"{level}; {found} against the baseline" + (f", {control} against the control" if control else "")
    return text, holds(found)


def _breakdown(evidence: Evidence, scheme: str) -> list[dict]:
    rows = evidence.main("fig4_breakdown")
    return needed(fig4_breakdown.increases(rows, scheme) if len(rows.of(model="baseline")) else None)


def _losses(evidence: Evidence) -> list[tuple[float, float]]:
    """(percent, BLEU that class-blind loses without retraining, mean over seeds)."""
    rows = evidence.main("fig3_schemes")
    own = {"model": "pruned", "scheme": "class_blind"}
    found = [(x, rows.differences("beam_bleu", BASELINE, own | {"percent": x})) for x in rows.percents(**own)]
    return [(x, sum(d) / len(d)) for x, d in found if d]


def _test_loss(row: dict) -> float:
    return valid_loss({"valid_perplexity": row["perplexity"]})


def _level(evidence: Evidence) -> str:
    return mean_and_deviation(evidence.of("small_model").spread("beam_bleu", **BASELINE))


def noise_line(evidence: Evidence) -> str:
    """What of a difference of BLEU is called noise in this study, in a sentence."""
    try:
        found = noise(evidence.main("fig6_retraining"))
    except NotRun:
        found = None
    if found is None:
        return "Noise: not known, as no row has two seeds; differences are taken as they are."
    return (
        "Noise: a mean difference over n seeds smaller than t s / √n, the 95% interval of no difference, where s is "
        "the standard deviation, from seed to seed, of retrained - baseline and control - baseline, pooled over all "
        f"percentages: here {found.deviation:.2f} BLEU with {found.freedom} degrees of freedom, so {found.of(3):.2f} "
        f"for three seeds and {found.of(1):.2f} for one. A difference within noise of more than 1 BLEU (or {NATS:g} "
        "nats) decides nothing: cannot be tested here."
    )


CLAIMS = (
    Claim("4.1", "baseline", "perplexity 6.1, BLEU 20.48", "fig6_retraining", baseline),
    Claim("fig. 3", "class-blind is the highest at every percentage", "all of 10 to 90%", "fig3_schemes",
          class_blind_is_best),
    Claim("fig. 4", "class-uniform hurts most in top target layer, attention, softmax", "yes", "fig4_breakdown",
          uniform_hits_three_classes),
    Claim("fig. 4", "class-blind is much flatter", "yes", "fig4_breakdown", blind_is_flatter),
    Claim("fig. 4", "under class-blind the damage follows the size of the class", "yes", "fig4_breakdown",
          blind_follows_size),
    Claim("fig. 5", "the larger the largest deleted weight, the larger the damage", "positive relation",
          "fig5_magnitude", threshold_predicts_damage),
    Claim("4.2", "without retraining 40% goes at little loss", f"about 40% (here: at most {LITTLE:g} BLEU)",
          "fig3_schemes", forty_percent_for_little),
    Claim("4.2", "the loss is exponential in the percentage", "yes (here: of log perplexity)", "fig3_schemes",
          exponential_loss),
    Claim("fig. 6", "retrained, at least the baseline up to 80%", "yes", "fig6_retraining", retrained_to_eighty),
    Claim("fig. 6", "80% retrained is better than the baseline", "20.91 (+0.43)", "fig6_retraining", gain_at_eighty),
    Claim("fig. 6", "90% retrained loses little", "20.13 (-0.35)", "fig6_retraining", loss_at_ninety),
    Claim("fig. 6", "sparse from the beginning stays below baseline and retrained", "yes, close", "fig6_retraining",
          sparse_from_the_beginning),
    Claim("4.3", "the more is pruned, the smaller the gap of valid and train", "yes", "regularisation", gap_shrinks),
    Claim("4.3", "50% retrained beats 90% retrained on valid", "yes", "regularisation", fifty_beats_ninety),
    Claim("fig. 7", "retraining takes the loss below the baseline's best", "yes", "fig7_loss", falls_below_the_best),
    Claim("4.4", "the file shrinks by 65% (dense with zeros, deflated)", "782 MB to 272 MB, 65.2%", "storage",
          file_shrinks),
    *(Claim(*row) for row in claims_redundancy.CLAIMS),
    Claim("5", "small model: 60% goes with no immediate loss", f"yes (here: at most {NO_LOSS:g} BLEU)", "small_model",
          small_at_sixty),
    Claim("5", "small model: 90% regains the baseline by retraining", f"yes (here: within {NO_LOSS:g} BLEU)",
          "small_model", small_at_ninety),
    Claim("5", "small model: class-blind is the best scheme", "same findings", "small_model",
          lambda evidence: class_blind_is_best(evidence, "small_model")),
    Claim("abstract", "80% goes with no loss at all", "yes", "fig6_retraining", no_loss_at_twenty),
)  # fmt: skip
