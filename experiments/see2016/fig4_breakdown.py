"""Class-uniform pruning hurts most in the top target layer, attention and softmax (See, Luong & Manning 2016, fig. 4).

    make experiment EXP=fig4_breakdown ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: each weight class pruned alone, by the amount that each scheme gives it when 90% of all weights are pruned;
perplexity on valid. First seed only.
Settings (--recipe small): LSTM 2 x 256, dot attention, dropout 0.2; vocabulary unigram 8,000 | 4,000, sentences up to
50 tokens, source reversed; training adam 0.006 (cosine) x 8 epochs of batch 64, label smoothing 0.1.
Cost: one baseline, and three perplexities per class, 2 s each on 2 cores.
Expected: under class-uniform a few bars tower over the others. In the paper they are much flatter under class-blind,
and larger classes have higher bars; here neither holds, and the softmax layer is hurt most.
"""

import jax

from experiments.see2016.run import run
from experiments.see2016.study import PAPER_SCHEMES, Config, Entry, Models, percent
from seq2slim import pruning
from seq2slim.models import param_shapes, weight_classes
from seq2slim.stages.perplexity import Perplexity

SPARSITY = 0.9


def main(config, runner):
    """Runs this experiment, and writes the report of the study from all stored rows."""
    run({"fig4_breakdown": entries}, config, runner)


def entries(config: Config, seed: int) -> list[Entry]:
    """The baseline, and each class alone under each scheme."""
    return breakdown(config, seed, PAPER_SCHEMES)


def breakdown(config: Config, seed: int, schemes) -> list[Entry]:
    """Perplexity of the baseline, whole and with one class pruned, for each class and scheme; first seed only."""
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


def class_names(config: Config) -> list[str]:
    """The prunable weight classes of the study's model, in the order of its parameters."""
    model = config.settings.model.build(1, 1)
    shapes = param_shapes(model)
    names = jax.tree.leaves(pruning.classes_by_rules(shapes, weight_classes(model)))
    return list(dict.fromkeys(name for name in names if name != pruning.NEVER_PRUNED))


def class_facts(runner, pruned) -> dict:
    """Size of the one class that a Prune stage pruned, its sparsity, and the largest |w| that was removed."""
    (own,) = (row for row in runner.result(pruned)["classes"] if row["name"] == pruned.only)
    return {
        "class_weights": own["weights"],
        "class_sparsity": round(1 - own["kept"] / own["weights"], 6),
        "largest_removed": own["largest_removed"],
    }
