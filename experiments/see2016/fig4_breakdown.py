"""Class-uniform pruning hurts most in the top target layer, attention and softmax (See, Luong & Manning 2016, fig. 4).

    make experiment EXP=fig4_breakdown ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: each weight class pruned alone, at the amount that each scheme gives it when 90% of all weights go; perplexity on
valid. First seed.
Cost: a baseline, and three times as many perplexities as there are classes, 2 s each on 2 cores.
Expected: under class-uniform a few bars tower over the others. In the paper they are much flatter under class-blind,
and the larger classes have the higher ones; here neither, and the softmax layer suffers most.
"""

from dataclasses import dataclass

import jax

from experiments.see2016 import report as study_report
from experiments.see2016 import study
from experiments.see2016.rows import Rows
from experiments.see2016.study import Entry, Models, Section, percent
from seq2slim import pruning
from seq2slim.models import init_params, weight_classes
from seq2slim.plots.bars import grouped_bars
from seq2slim.runs import results
from seq2slim.stages.perplexity import Perplexity

TAKES_PUBLISHED_ROWS = True
start = study.start
smoke = study.smoke
SPARSITY = 0.9


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options."""


def main(config, runner):
    """Runs this part of the study, and writes the study's report from all that is there."""
    study_report.run(["fig4_breakdown"], config, runner)


def entries(config: study.Config, seed: int) -> list[Entry]:
    """The baseline, and each class alone under each scheme."""
    return breakdown(config, seed, study.SCHEMES)


def breakdown(config: study.Config, seed: int, schemes) -> list[Entry]:
    """Perplexity of the baseline, and of it with one class pruned, for each class and scheme; of the first seed."""
    if not config.is_first(seed):
        return []
    models = Models(config, seed)
    found = [Entry(Perplexity(models.baseline), {"part": "main", "model": "baseline", "percent": 0.0})]
    for scheme in schemes:
        for name in class_names(config):
            pruned = models.pruned(SPARSITY, scheme, only=name)
            columns = {"part": "main", "model": "pruned", "scheme": scheme, "percent": percent(SPARSITY), "class": name}
            found.append(Entry(Perplexity(pruned), columns, lambda runner, pruned=pruned: class_facts(runner, pruned)))
    return found


def class_names(config: study.Config) -> list[str]:
    """The prunable weight classes of the study's model, in the order of its parameters."""
    model = config.settings.model.build(1, 1)
    shapes = jax.eval_shape(lambda key: init_params(model, key), jax.random.key(0))
    names = jax.tree.leaves(pruning.classes_by_rules(shapes, weight_classes(model)))
    return list(dict.fromkeys(name for name in names if name != pruning.NEVER_PRUNED))


def class_facts(runner, pruned) -> dict:
    """Size of the one class that a Prune stage pruned, how much of it went, and the largest |w| that did."""
    (own,) = (row for row in runner.result(pruned)["classes"] if row["name"] == pruned.only)
    return {
        "class_weights": own["weights"],
        "class_sparsity": round(1 - own["kept"] / own["weights"], 6),
        "largest_removed": own["largest_removed"],
    }


def increases(rows: Rows, scheme: str) -> list[dict]:
    """Rows of one scheme with `increase`: the perplexity of valid above the baseline's."""
    (baseline,) = rows.of(model="baseline").rows
    return [row | {"increase": row["perplexity"] - baseline["perplexity"]} for row in rows.of(scheme=scheme).rows]


def section(rows: Rows, series: dict, path) -> Section:
    """Bars by class and scheme, and the amounts behind them."""
    found = {scheme: increases(rows, scheme) for scheme in study.SCHEMES if len(rows.of(scheme=scheme))}
    names = [row["class"] for row in next(iter(found.values()))]
    bars = {scheme.replace("_", "-"): [row["increase"] for row in own] for scheme, own in found.items()}
    figures = grouped_bars(names, bars, "increase of validation perplexity", path, logarithmic=True)
    columns = {"scheme": "", "class": "", "class_weights": ",d", "class_sparsity": ".1%", "increase": "+.2f"}
    table = results.table([row for own in found.values() for row in own], columns)
    baseline = rows.of(model="baseline").rows[0]["perplexity"]
    text = f"Perplexity of valid, {baseline:.2f} of the baseline, with one class pruned; a bar that is missing is no"
    return Section(f"{text} increase.\n\n{table}", figures)
