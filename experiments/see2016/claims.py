"""Every claim of See, Luong & Manning (2016), each with a rule that decides from the rows whether it holds here.

A rule takes `Evidence` and returns the finding in words, and True (holds), False (does not hold at this scale) or None
(cannot be tested here). It raises `NotRun` where a row is missing.
"""

from experiments.see2016 import claims_pruned, claims_redundancy, claims_retrained
from experiments.see2016.evidence import NO_LOSS, Claim, Evidence, Found, NotRun, needed
from experiments.see2016.rows import BASELINE, CONTROL, NATS, difference, mean_and_deviation, noise, retrained


def baseline(evidence: Evidence) -> Found:
    """Shown, not judged: the paper's numbers are of another corpus and a larger model."""
    rows = evidence.main("fig6_retraining")
    parts = [f"{n} {mean_and_deviation(needed(rows.spread(n, **BASELINE)))}" for n in ("perplexity", "beam_bleu")]
    text = f"{', '.join(parts)} (other text, a smaller model; pieces leave no unknown word to replace)"
    return text.replace("beam_bleu", "BLEU"), None


def file_shrinks(evidence: Evidence) -> Found:
    """Holds if the 80% model, stored as the paper stored it, is at least 65% smaller than the baseline."""
    rows = evidence.main("storage").of(codec="float32")
    before, after = (rows.spread("deflated_bytes", model=name) for name in ("baseline", "retrained"))
    shrunk = 1 - needed(after).mean / needed(before).mean
    ratio = needed(rows.spread("ratio", model="retrained")).mean
    return f"{shrunk:.1%} smaller; as a lossless sparse file {ratio:.2f} times smaller than float32", shrunk >= 0.65


def small_baseline(evidence: Evidence) -> Found:
    """Shown, not judged: the paper's numbers are of another corpus and another small model."""
    rows = evidence.of("small_model").of(**BASELINE)
    size = f"{rows.rows[0]['weights']:,} weights" if len(rows) else "-"
    return f"BLEU {mean_and_deviation(needed(rows.spread('beam_bleu')))} on valid, {size} (other text)", None


def small_at_sixty(evidence: Evidence) -> Found:
    """Holds if pruning 60% without retraining loses at most NO_LOSS."""
    system = {"model": "pruned", "scheme": "class_blind", "percent": 60.0}
    found = needed(difference(evidence.of("small_model"), system, BASELINE))
    return f"{found} BLEU of {_level(evidence)}", found.mean >= -NO_LOSS


def small_at_ninety(evidence: Evidence) -> Found:
    """Holds if the model retrained at 90% is at most NO_LOSS below the baseline."""
    rows = evidence.of("small_model")
    found = needed(difference(rows, retrained(90.0), BASELINE))
    control = needed(difference(rows, retrained(90.0), CONTROL))
    return f"{found} BLEU of {_level(evidence)} ({control} against the control)", found.mean >= -NO_LOSS


def _level(evidence: Evidence) -> str:
    return mean_and_deviation(evidence.of("small_model").spread("beam_bleu", **BASELINE))


def noise_line(evidence: Evidence) -> str:
    """The definition and size of noise in this study, in words."""
    try:
        found = noise(evidence.main("fig6_retraining"))
    except NotRun:
        found = None
    if found is None:
        return (
            f"Noise: unknown, since no row has two seeds; differences below 1 BLEU (or {NATS:g} nats) are not judged, "
            "unless a bound of ours, (here: at most or within ...), stands beside the paper's number."
        )
    return (
        "Noise: a mean difference over n seeds smaller than t s / √n, the 95% interval of no difference, where s is "
        "the standard deviation, from seed to seed, of retrained - baseline and control - baseline, pooled over all "
        f"percentages: here {found.deviation:.2f} BLEU with {found.freedom} degrees of freedom, so {found.of(3):.2f} "
        f"for three seeds and {found.of(1):.2f} for one. A difference within noise of more than 1 BLEU (or {NATS:g} "
        "nats) decides nothing: cannot be tested here. Figure 7 and models trained sparse use the noise of their own "
        "differences. Differences of one seed share its baseline and are counted as independent. Percentages with "
        "fewer seeds than others are shown but not judged, except where the means alone decide: claims with a bound "
        "of ours, (here: at most or within ...), beside the paper's number, how often a scheme is the best, and "
        "curves through all percentages."
    )


CLAIMS = (
    Claim("4.1", "baseline", "perplexity 6.1, BLEU 20.48", "fig6_retraining", baseline),
    *claims_pruned.CLAIMS,
    *claims_retrained.CLAIMS,
    Claim("4.4", "the file shrinks by 65% (dense with zeros, deflated)", "782 MB to 272 MB, 65.2%", "storage",
          file_shrinks),
    *claims_redundancy.CLAIMS,
    Claim("5", "small model: baseline", "BLEU 9.61 on valid, about 24M weights", "small_model", small_baseline),
    Claim("5", "small model: 60% goes with no immediate loss", f"yes (here: at most {NO_LOSS:g} BLEU)", "small_model",
          small_at_sixty),
    Claim("5", "small model: 90% regains the baseline by retraining", f"yes (here: within {NO_LOSS:g} BLEU)",
          "small_model", small_at_ninety),
    Claim("5", "small model: class-blind is the best scheme", "same findings (here: 60%, 90%)", "small_model",
          lambda evidence: claims_pruned.class_blind_is_best(evidence, "small_model")),
)  # fmt: skip
