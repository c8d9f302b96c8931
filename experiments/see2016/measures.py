"""Numbers that both the sections and the claims of the study need: damage by class, density by gate."""

from experiments.see2016.rows import Rows
from seq2slim.evaluation.statistics import permutation_p, spearman


def increases(rows: Rows, scheme: str) -> list[dict]:
    """Rows of one scheme with `increase`: perplexity of valid minus that of the baseline."""
    (baseline,) = rows.of(model="baseline").rows
    return [row | {"increase": row["perplexity"] - baseline["perplexity"]} for row in rows.of(scheme=scheme).rows]


def correlation(rows: Rows) -> tuple[float, float, int]:
    """Largest deleted |w| of a class against the increase of perplexity: (Spearman's rho, one-sided p, classes)."""
    own = increases(rows, "class_uniform")
    x, y = ([row[name] for row in own] for name in ("largest_removed", "increase"))
    return spearman(x, y), permutation_p(x, y), len(own)


def by_gate(lines: list[dict]) -> list[dict]:
    """One line per LSTM matrix: mean density of each gate and half; mean on and off the diagonals, and their ratio.

    Where the input is wider than the layer, the blocks of a matrix differ in size: the mean density of a gate then
    weighs blocks, not weights.
    """

    def mean(values):
        values = [value for value in values if value is not None]
        return sum(values) / len(values) if values else None

    found = []
    for matrix in dict.fromkeys(line["matrix"] for line in lines):
        own = [line for line in lines if line["matrix"] == matrix]
        row = {"matrix": matrix}
        for key in ("gate", "part"):
            row |= {
                value: mean(line["density"] for line in own if line[key] == value)
                for value in dict.fromkeys(line[key] for line in own)
            }
        row |= {name: mean(line[name] for line in own) for name in ("diagonal", "off")}
        found.append(row | {"ratio": row["diagonal"] / row["off"] if row["off"] else None})
    return found
