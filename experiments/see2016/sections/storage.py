"""Sizes of stored models by codec (section 4.4)."""

from experiments.see2016.rows import Rows
from experiments.see2016.sections import Section
from experiments.see2016.study import READ_BACK
from seq2slim.plots.bars import grouped_bars
from seq2slim.runs import results
from seq2slim.storage.codecs import LOSSLESS

PAPER_MB = {"float32": 864, "deflated": 782, "pruned, deflated": 272}  # sec. 4.4; 864 is 4 bytes per weight
AIMS = {"float32": (5.3, 0.0), "int8": (14.0, 0.1), "codebook16": (21.0, 0.3)}  # times smaller; BLEU lost at most
_OF_PAPER = PAPER_MB["float32"] / PAPER_MB["pruned, deflated"]
_CHANGES = {"bleu": "beam_bleu", "perplexity": "perplexity"}


def section(rows: Rows, series: dict, path) -> Section:
    """Sizes by codec, as bars and as a table."""
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
    p_values = {row["codec"]: row["p_value"] for row in rows.of(model=READ_BACK).rows}
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
    """One line per codec with an aim: how much smaller the retrained model is, its loss, and the verdict."""
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
