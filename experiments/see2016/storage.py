"""A pruned model takes a fraction of the room on disk, by the codec a fifth to a twentieth (See et al. 2016, sec. 4.4).

    make experiment EXP=storage ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: the baseline and the model retrained at 80%, vocabulary left out: bytes under each codec, against float32 and the
order-0 entropy, and BLEU of what is read back; and the size alone of the paper's 216M weights, drawn and pruned 80%.
First seed.
Cost: an evaluation a codec, and for the paper's shape 1 to 2 minutes a codec and 4 GB of memory.
Expected: lossless over 5 times smaller, int8 over 14, a codebook of 16 over 21; the paper, dense with zeros, 2.9.
"""

from dataclasses import dataclass

from experiments.see2016 import report as study_report
from experiments.see2016 import study
from experiments.see2016.rows import Rows
from experiments.see2016.study import Entry, Models, Section, model_entry, percent
from seq2slim.plots.bars import grouped_bars
from seq2slim.recipes import RECIPES
from seq2slim.runs import results
from seq2slim.stages.evaluate import Compare
from seq2slim.stages.store import Store, StoreShape
from seq2slim.storage import CODECS
from seq2slim.storage.codecs import LOSSLESS

TAKES_PUBLISHED_ROWS = True
start = study.start
smoke = study.smoke
SPARSITY = 0.8
PAPER_MB = {"float32": 864, "deflated": 782, "pruned, deflated": 272}  # sec. 4.4, but 864: 4 bytes each of 216M weights
AIMS = {"float32": (5.3, 0.0), "int8": (14.0, 0.1), "codebook16": (21.0, 0.3)}  # times smaller; BLEU lost at most
COMPARED = "read back - retrained"
_OF_PAPER = PAPER_MB["float32"] / PAPER_MB["pruned, deflated"]
_CHANGES = {"bleu": "beam_bleu", "perplexity": "perplexity"}


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options."""


def main(config, runner):
    """Runs this part of the study, and writes the study's report from all that is there."""
    study_report.run(["storage"], config, runner)


def entries(config: study.Config, seed: int) -> list[Entry]:
    """Sizes of the first seed's models, BLEU of what is read back, and sizes of the paper's shape."""
    if not config.is_first(seed):
        return []
    models, x, paper = Models(config, seed), percent(SPARSITY), RECIPES[config.paper]
    retrained = models.retrained(SPARSITY)
    made = [
        Entry(Store(models.baseline), {"part": "main", "model": "baseline", "percent": 0.0}),
        model_entry(models, "retrained", retrained, SPARSITY),
    ]
    for codec in CODECS:
        stored = Store(retrained, codec)
        made.append(Entry(stored, {"part": "main", "model": "retrained", "percent": x}))
        made.append(model_entry(models, "read back", stored, SPARSITY, codec=codec))
        if codec != LOSSLESS:
            compared = Compare(models.evaluate(retrained), models.evaluate(stored))
            made.append(Entry(compared, {"part": "main", "model": COMPARED, "percent": x, "codec": codec}))
        of_paper = StoreShape(paper.model, paper.vocabulary.size, SPARSITY, codec)
        made.append(Entry(of_paper, {"part": "paper", "model": of_paper.model.preset, "percent": x}))
    return made


def section(rows: Rows, series: dict, path) -> Section:
    """Sizes by codec, as bars and in numbers."""
    sizes = [row for part in ("main", "paper") for row in rows.of(part=part).rows if "bytes" in row]
    kinds = {
        "retrained, 80% pruned": rows.of(part="main", model="retrained"),
        f"{rows.of(part='paper').rows[0]['model']} shape, 80% pruned": rows.of(part="paper"),
    }
    bars = {label: [row["ratio"] for row in own.rows if "bytes" in row] for label, own in kinds.items()}
    codecs = [row["codec"] for row in rows.of(part="paper").rows]
    level = {f"the paper's {PAPER_MB['pruned, deflated']} MB ({_OF_PAPER:.1f})": _OF_PAPER}
    figures = grouped_bars(codecs, bars, "times smaller than dense float32", path, levels=level)
    after = {row["codec"]: row for row in rows.of(model="read back").rows}
    p_values = {row["codec"]: row["p_value"] for row in rows.of(model=COMPARED).rows}
    (before,) = (row for row in rows.of(model="retrained").rows if "beam_bleu" in row)

    def changes(codec: str) -> dict[str, float]:
        changed = {column: after[codec][name] - before[name] for column, name in _CHANGES.items()}
        return changed | {"p_value": p_values.get(codec)}

    lines = [
        row
        | {"over_entropy": row["bytes"] / row["entropy_bytes"] - 1}
        | (changes(row["codec"]) if row["model"] == "retrained" else {})
        for row in sizes
    ]
    columns = {
        "model": "", "codec": "", "dense_bytes": ",d", "bytes": ",d", "ratio": ".2f", "entropy_bytes": ",d",
        "over_entropy": "+.1%", "bleu": "+.2f", "p_value": ".3f", "perplexity": "+.3f", "deflated_bytes": ",d",
        "csr_bytes": ",d", "write_seconds": ".1f", "read_seconds": ".1f",
    }  # fmt: skip
    paper = rows.of(part="paper", codec=LOSSLESS).rows[0]
    deflated = paper["dense_bytes"] / paper["deflated_bytes"]
    text = (
        "Bytes of parameters and masks; `bleu`, `perplexity`: change by the codec, with the p-value of a paired\n"
        "bootstrap; `deflated_bytes`: dense float32 with its zeros, deflated; `csr_bytes`: compressed sparse rows.\n"
        f"The shape of {paper['model']} is not trained but drawn from a normal distribution: deflated with its zeros\n"
        f"it is {deflated:.1f} times smaller than dense float32. The paper's files went from {PAPER_MB['deflated']} MB "
        f"to {PAPER_MB['pruned, deflated']}, {PAPER_MB['deflated'] / PAPER_MB['pruned, deflated']:.1f} times,\n"
        f"or {_OF_PAPER:.1f} times less than {PAPER_MB['float32']} MB of float32.\n"
    )
    return Section(f"{text}\n{results.table(lines, columns)}\n{aims(lines)}", figures)


def aims(lines: list[dict]) -> str:
    """One line a codec that we set out for something with: how much smaller the retrained model gets, and how well."""
    text = ""
    for line in lines:
        if line["model"] != "retrained" or line["codec"] not in AIMS:
            continue
        ratio, lost = AIMS[line["codec"]]
        met = line["ratio"] >= ratio and line["bleu"] >= -lost and line["over_entropy"] <= 0.05
        text += (
            f"- {line['codec']}: {line['ratio']:.2f} times smaller, {line['bleu']:+.2f} BLEU, "
            f"{line['over_entropy']:.1%} above the entropy; the aim, {ratio:g} times for at most {lost:g} BLEU within "
            f"5% of the entropy, is {'met' if met else 'missed'}.\n"
        )
    return text
