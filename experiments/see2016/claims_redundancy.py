"""Claims of See et al. (2016) in section 4.5 and figure 8: words, gates, halves, diagonals. See `claims`."""

import math

from experiments.see2016.evidence import Claim, Evidence, Found, NotRun
from experiments.see2016.measures import by_gate

ORDER = ("h-hat", "i", "o", "f")  # from the most to the fewest surviving weights
RIVAL = 0.9  # times the density of h-hat: our reading of "rival"
CLEAR = -0.3  # a rank correlation that explains a tenth of the variation of ranks
DIAGONAL = 4.0  # standard deviations above the density off the diagonal: by chance in one block of 30,000


def _row(evidence: Evidence) -> dict:
    return evidence.main("fig8_redundancy").rows[0]


def _gates(evidence: Evidence) -> list[dict]:
    return by_gate(_lines(evidence))


def _lines(evidence: Evidence) -> list[dict]:
    series = evidence.series.get(_row(evidence)["identity"])
    if series is None:
        raise NotRun
    return series["gate_density"]


def _layers(evidence: Evidence, side: str) -> list[dict]:
    """Lines of one side's matrices, lowest layer first; of a bidirectional encoder only the forward half."""
    return [line for line in _gates(evidence) if line["matrix"].startswith(side) and "backward" not in line["matrix"]]


def whole_words_go(evidence: Evidence) -> Found:
    """Holds if both sides have fully pruned words that occur in the text."""
    row = _row(evidence)
    source, target = row["source_dead"], row["target_dead"]
    text = f"{source:,} of {row['source_words']:,} source, {target:,} of {row['target_words']:,} target words"
    return text, min(source, target) > 0


def rare_words_go_first(evidence: Evidence) -> Found:
    """Holds if on both sides the rank correlation of rarity and embedding density is CLEAR or less.

    Significance is no test: among thousands of words any correlation is significant.
    """
    rho = [_row(evidence)[f"{side}_rank_correlation"] for side in ("source", "target")]
    if any(map(math.isnan, rho)):
        return "all words of a side are equally dense", None
    return f"rarity with density, in rank: source {rho[0]:+.2f}, target {rho[1]:+.2f}", all(x <= CLEAR for x in rho)


def gates_in_order(evidence: Evidence) -> Found:
    """Holds if in every LSTM matrix h-hat keeps more than i, i more than o, and o more than f."""
    orders = {line["matrix"]: tuple(sorted(ORDER, key=lambda gate: -line[gate])) for line in _gates(evidence)}
    shown = "; ".join(f"{matrix}: {' > '.join(order)}" for matrix, order in orders.items())
    return shown, all(order == ORDER for order in orders.values())


def low_layers_differ_most(evidence: Evidence) -> Found:
    """Holds if on both sides h-hat over the densest gate is above 1 in the lowest layer, and above that of the top."""
    texts, holds = [], []
    for side in ("source", "target"):
        layers = _layers(evidence, side)
        if len(layers) < 2:
            return "one layer", None
        low, top = (line["h-hat"] / max(line[gate] for gate in ORDER[1:]) for line in (layers[0], layers[-1]))
        texts.append(f"{side} {low:.2f} low, {top:.2f} top")
        holds.append(low > max(1, top))
    return f"h-hat over the densest gate: {'; '.join(texts)}", all(holds)


def gates_rival(evidence: Evidence) -> Found:
    """Holds if the densest gate has RIVAL times the density of h-hat in the top target layer, less in the lowest."""
    layers = _layers(evidence, "target")
    if len(layers) < 2:
        return "one layer", None
    low, top = (max(line[gate] for gate in ORDER[1:]) / line["h-hat"] for line in (layers[0], layers[-1]))
    return f"the densest gate over h-hat: {low:.2f} low, {top:.2f} top", low < RIVAL <= top


def halves_change_over(evidence: Evidence) -> Found:
    """Holds if on both sides the lowest layer keeps more feed-forward and the top more recurrent weights."""
    texts, holds = [], []
    for side in ("source", "target"):
        layers = _layers(evidence, side)
        if len(layers) < 2:
            return "one layer", None
        low, top = (line["feed-forward"] / line["recurrent"] for line in (layers[0], layers[-1]))
        texts.append(f"{side} {low:.2f} low, {top:.2f} top")
        holds.append(low > 1 > top)
    return f"feed-forward over recurrent: {'; '.join(texts)}", all(holds)


def diagonals_survive(evidence: Evidence) -> Found:
    """Holds if a square block is denser on its diagonal than off it by DIAGONAL standard deviations."""
    blocks = [line for line in _lines(evidence) if line["diagonal"] is not None]
    if not blocks:
        return "no square block", None

    def excess(line) -> float:
        sigma = math.sqrt(line["off"] * (1 - line["off"]) / line["units"])
        return (line["diagonal"] - line["off"]) / sigma if sigma else 0.0

    white = [line for line in blocks if excess(line) >= DIAGONAL]
    best = max(blocks, key=excess)
    where = f"{best['matrix']}, {best['part']} {best['gate']}: {best['diagonal']:.0%} on, {best['off']:.0%} off"
    return f"{len(white)} of {len(blocks)} blocks; most in {where}", bool(white)


_HERE = "fig8_redundancy"
CLAIMS = (
    Claim("4.5", "at 80% whole words go, of source and target", "100 source, 1,194 target", _HERE, whole_words_go,
          "words"),
    Claim("4.5", "rare words have embeddings near zero", f"yes (here: rank correlation at most {CLEAR:g})", _HERE,
          rare_words_go_first, "words"),
    Claim("fig. 8", "more survives of h-hat than of i, o, f, in this order", "all LSTM matrices", _HERE, gates_in_order,
          "gates"),
    Claim("fig. 8", "h-hat stands out most in low layers", "yes", _HERE, low_layers_differ_most, "gates"),
    Claim("fig. 8", "on high target layers the gates rival h-hat", f"yes (here: at least {RIVAL:g} times, low less)",
          _HERE, gates_rival, "gates"),
    Claim("fig. 8", "low layers keep more feed-forward, high ones recurrent", "yes", _HERE, halves_change_over, "lstm"),
    Claim("fig. 8", "white diagonals appear in some blocks", "yes", _HERE, diagonals_survive, "lstm"),
)  # fmt: skip
