"""Surviving weights by word, gate, half and diagonal (figure 8)."""

from experiments.see2016.measures import by_gate
from experiments.see2016.rows import Rows
from experiments.see2016.sections import Section
from seq2slim.plots.bars import grouped_bars
from seq2slim.plots.survivors import embedding_maps, lstm_maps, words_by_frequency
from seq2slim.runs import results
from seq2slim.stages.redundancy import unpack

WORD_COLUMNS = {
    "side": "", "words": ",d", "fully pruned": ",d", "mean rank of those": ".2f", "never seen": ",d",
    "never seen, fully pruned": ",d", "rarity with density, in rank": "+.2f",
}  # fmt: skip


def section(rows: Rows, series: dict, path) -> Section:
    """Maps of weights, densities by gate, and pruned words."""
    (row,) = rows.rows
    own = series[row["identity"]]
    maps = {name: unpack(packed) for name, packed in own["maps"].items()}
    embeddings = {name: mask for name, mask in maps.items() if name.endswith("embedding")}
    kernels = {name: mask for name, mask in maps.items() if name not in embeddings}
    gates = by_gate(own["gate_density"])
    figures = [
        *embedding_maps(embeddings, path.with_name(f"{path.name}-embeddings")),
        *lstm_maps(kernels, path.with_name(f"{path.name}-lstm")),
        *grouped_bars(
            [line["matrix"] for line in gates],
            {gate: [100 * line[gate] for line in gates] for gate in ("h-hat", "i", "o", "f")},
            "weights kept (%)", path.with_name(f"{path.name}-gates"),
        ),
        *words_by_frequency(own["words"], path.with_name(f"{path.name}-words")),
    ]  # fmt: skip
    columns = dict.fromkeys(("h-hat", "i", "o", "f", "feed-forward", "recurrent"), ".1%")
    text = "The lighter, the more is kept; of a large matrix a point stands for a block. Weights kept, by class:\n\n"
    text += results.table(
        [{"class": n, "kept": x} for n, x in own["class_density"].items()], {"class": "", "kept": ".1%"}
    )
    text += "\nLSTM matrices by gate, by half, and on the diagonals of their square blocks against off them:\n\n"
    text += results.table(gates, {"matrix": "", **columns, "diagonal": ".1%", "off": ".1%", "ratio": ".2f"})
    text += (
        "\nWords are the entries of the vocabulary, whole words or pieces; PAD, BOS and EOS are left out. Rank 0 is\n"
    )
    text += "the most frequent, 1 the rarest:\n\n"
    text += results.table([words_line(row, side) for side in ("source", "target")], WORD_COLUMNS)
    return Section(text, figures)


def words_line(row: dict, side: str) -> dict:
    """One line of the table of words: source or target."""
    columns = ("words", "dead", "dead_rank", "unseen", "unseen_dead", "rank_correlation")
    return {"side": side} | {shown: row[f"{side}_{name}"] for shown, name in zip(list(WORD_COLUMNS)[1:], columns)}
