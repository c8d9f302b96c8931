"""What pruning takes: rare words, some gates more than others, and seldom the diagonal (See et al. 2016, fig. 8).

    make experiment EXP=fig8_redundancy ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: the survivors of pruning 80% class-blind: words without any, density by class, gate, input or recurrent half, and
on the diagonal against off it; maps of embeddings and LSTM matrices. First seed.
Cost: seconds, once the baseline is there.
Expected: embeddings of rare words keep less (of subwords few are so rare that nothing is left). In the paper h-hat
keeps more than i, o and f; here the least.
"""

from dataclasses import dataclass

from experiments.see2016 import report as study_report
from experiments.see2016 import study
from experiments.see2016.rows import Rows
from experiments.see2016.study import Entry, Models, Section, percent
from seq2slim.plots.bars import grouped_bars
from seq2slim.plots.survivors import embedding_maps, lstm_maps, words_by_frequency
from seq2slim.runs import results
from seq2slim.stages.redundancy import Redundancy, load_series, unpack

TAKES_PUBLISHED_ROWS = True
start = study.start
smoke = study.smoke
SPARSITY = 0.8


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options."""


def main(config, runner):
    """Runs this part of the study, and writes the study's report from all that is there."""
    study_report.run(["fig8_redundancy"], config, runner)


def entries(config: study.Config, seed: int) -> list[Entry]:
    """The survivors of the first seed; none where the gates are not those of an LSTM."""
    if not config.is_first(seed) or config.settings.model.build(1, 1).cell != "lstm":
        return []
    stage = Redundancy(Models(config, seed).pruned(SPARSITY))
    columns = {"part": "main", "model": "pruned", "scheme": "class_blind", "percent": percent(SPARSITY)}
    return [Entry(stage, columns, series=lambda runner: load_series(runner.run_dir(stage)))]


def section(rows: Rows, series: dict, path) -> Section:
    """Maps, densities and words."""
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


WORD_COLUMNS = {
    "side": "", "words": ",d", "fully pruned": ",d", "mean rank of those": ".2f", "never seen": ",d",
    "never seen, fully pruned": ",d", "rarity with density, in rank": "+.2f",
}  # fmt: skip


def words_line(row: dict, side: str) -> dict:
    """The columns of one side's words, by the names of the table."""
    columns = ("words", "dead", "dead_rank", "unseen", "unseen_dead", "rank_correlation")
    return {"side": side} | {shown: row[f"{side}_{name}"] for shown, name in zip(list(WORD_COLUMNS)[1:], columns)}


def by_gate(lines: list[dict]) -> list[dict]:
    """One line an LSTM matrix: mean density of each gate and of each half; mean on and off the diagonals, and ratio.

    Halves of one matrix have blocks of different sizes where the input is wider than the layer: a gate's density is
    then weighted by the blocks, not by the weights.
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
