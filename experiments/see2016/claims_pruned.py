"""Claims of See et al. (2016) on pruning without retraining: figures 3 to 5, section 4.2. See `claims`."""

from experiments.see2016.evidence import NO_LOSS, Claim, Evidence, Found, NotRun, needed
from experiments.see2016.measures import correlation, increases
from experiments.see2016.rows import BASELINE, Value, valid_loss
from experiments.see2016.study import PAPER_SCHEMES
from seq2slim.evaluation.statistics import growth, knee, permutation_p, spearman

MUCH_FLATTER = 0.5  # our reading of "much"
LITTLE = 1.0  # BLEU: "little" loss (sec. 4.2); about 5% of the paper's 20.5


def class_blind_is_best(evidence: Evidence, experiment: str = "fig3_schemes") -> Found:
    """Holds if class-blind has the highest mean over seeds at more than half of the percentages."""
    rows = evidence.main(experiment)

    def of(scheme, x):
        return {"model": "pruned", "scheme": scheme, "percent": x}

    values = {
        x: [rows.differences("beam_bleu", of(PAPER_SCHEMES[0], x), of(other, x)) for other in PAPER_SCHEMES[1:]]
        for x in rows.percents(scheme="class_uniform")
    }
    values = {x: own for x, own in values.items() if all(own)}
    if not values:
        raise NotRun
    leads = {x: min(sum(one) / len(one) for one in own) for x, own in values.items()}
    worst, best = (choose(leads, key=leads.get) for choose in (min, max))
    highest = sum(lead > 0 for lead in leads.values())
    text = f"highest at {highest} of {len(leads)} percentages; over the next best "
    text += f"{leads[worst]:+.2f} BLEU at worst, at {worst:g}%, {leads[best]:+.2f} at best, at {best:g}%"
    return text, 2 * highest > len(leads)


def uniform_hits_three_classes(evidence: Evidence) -> Found:
    """Holds if the three largest increases under class-uniform are those of the paper's three classes."""
    own = _breakdown(evidence, "class_uniform")
    names = [row["class"] for row in own]
    named = {max(name for name in names if name.startswith("target layer")), "attention", "softmax"}
    largest = [row["class"] for row in sorted(own, key=lambda row: -row["increase"])[:3]]
    return f"largest: {', '.join(largest)}", set(largest) == named if named <= set(names) else None


def blind_is_flatter(evidence: Evidence) -> Found:
    """Holds if the highest bar of class-blind is at most MUCH_FLATTER times that of class-uniform."""
    blind, uniform = (max(row["increase"] for row in _breakdown(evidence, s)) for s in PAPER_SCHEMES[:2])
    return f"highest increase of perplexity {blind:.2f}, class-uniform {uniform:.2f}", blind <= MUCH_FLATTER * uniform


def blind_follows_size(evidence: Evidence) -> Found:
    """Holds if the rank correlation of class size and increase of perplexity is positive, p < 0.05."""
    own = _breakdown(evidence, "class_blind")
    x, y = ([row[name] for row in own] for name in ("class_weights", "increase"))
    p = permutation_p(x, y)
    return f"rank correlation {spearman(x, y):+.2f} (p = {p:.3f}, {len(own)} classes)", p < 0.05


def threshold_predicts_damage(evidence: Evidence) -> Found:
    """Holds if the rank correlation is positive with p < 0.05."""
    rho, p, count = correlation(evidence.main("fig5_magnitude"))
    return f"rank correlation {rho:+.2f} (p = {p:.3f}, {count} classes)", p < 0.05


def forty_percent_for_little(evidence: Evidence) -> Found:
    """Holds if class-blind loses at most LITTLE at 40%."""
    losses = [(x, -mean) for x, mean in _above_baseline(evidence, "beam_bleu")]
    at_forty = needed(dict(losses).get(40.0))
    knees = [f"{knee(*zip((0.0, 0.0), *losses), allowed):.0f}% for {allowed:g}" for allowed in (NO_LOSS, LITTLE)]
    return f"{-at_forty:+.2f} BLEU at 40%; prunable: {', '.join(knees)} BLEU", at_forty <= LITTLE


def exponential_loss(evidence: Evidence) -> Found:
    """Holds if an exponential fits the rise of log perplexity with R^2 >= 0.9, and better than a line."""
    points = _above_baseline(evidence, _test_loss)
    if len(points) < 3:
        raise NotRun
    found = growth(*zip(*points))
    text = f"loss grows {100 * found.rate:.1f}% a point; R² {found.exponential:.3f}, of a line {found.straight:.3f}"
    return text, found.exponential >= 0.9 and found.exponential > found.straight


def _breakdown(evidence: Evidence, scheme: str) -> list[dict]:
    rows = evidence.main("fig4_breakdown")
    return needed(increases(rows, scheme) if len(rows.of(model="baseline")) else None)


def _above_baseline(evidence: Evidence, value: Value) -> list[tuple[float, float]]:
    """(percent, mean over seeds of class-blind without retraining - baseline)."""
    rows = evidence.main("fig3_schemes")
    own = {"model": "pruned", "scheme": "class_blind"}
    found = [(x, rows.differences(value, own | {"percent": x}, BASELINE)) for x in rows.percents(**own)]
    return [(x, sum(d) / len(d)) for x, d in found if d]


def _test_loss(row: dict) -> float:
    return valid_loss({"valid_perplexity": row["perplexity"]})


CLAIMS = (
    Claim("fig. 3", "class-blind is the highest at every percentage", "all of 10 to 90% (here: most)", "fig3_schemes",
          class_blind_is_best),
    Claim("fig. 4", "class-uniform hurts most in top target layer, attention, softmax", "yes", "fig4_breakdown",
          uniform_hits_three_classes),
    Claim("fig. 4", "class-blind is much flatter", f"yes (here: highest bar at most {MUCH_FLATTER:g} times)",
          "fig4_breakdown", blind_is_flatter),
    Claim("fig. 4", "under class-blind the damage follows the size of the class", "yes", "fig4_breakdown",
          blind_follows_size),
    Claim("fig. 5", "the larger the largest deleted weight, the larger the damage", "positive relation",
          "fig5_magnitude", threshold_predicts_damage),
    Claim("4.2", "without retraining 40% goes at little loss", f"about 40% (here: at most {LITTLE:g} BLEU)",
          "fig3_schemes", forty_percent_for_little),
    Claim("4.2", "the loss is exponential in the percentage", "yes (here: of log perplexity)", "fig3_schemes",
          exponential_loss),
)  # fmt: skip
