"""Pruning removes rare words, some gates more than others, and seldom the diagonals (See et al. 2016, fig. 8).

    make experiment EXP=fig8_redundancy ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: the weights that survive pruning 80% class-blind: words with none, density by class, gate, input or recurrent
half, on and off the diagonal; maps of embeddings and LSTM matrices. First seed only.
Settings (--recipe small): LSTM 2 x 256, dot attention, dropout 0.2; vocabulary unigram 8,000 | 4,000, sentences up to
50 tokens, source reversed; training adam 0.006 (cosine) x 8 epochs of batch 64, label smoothing 0.1.
Cost: seconds, once the baseline is trained.
Expected: embeddings of rare words keep less (few subwords are so rare that nothing is left). In the paper h-hat keeps
more than i, o and f; here it keeps the least.
"""

from experiments.see2016.run import run
from experiments.see2016.study import Config, Entry, Models, percent
from seq2slim.runs.records import read_series
from seq2slim.stages.redundancy import Redundancy

SPARSITY = 0.8


def main(config, runner):
    """Runs this experiment, and writes the report of the study from all stored rows."""
    run({"fig8_redundancy": entries}, config, runner)


def entries(config: Config, seed: int) -> list[Entry]:
    """The surviving weights of the first seed; no rows for a cell that is not an LSTM."""
    if not config.is_first(seed) or config.settings.model.build(1, 1).cell != "lstm":
        return []
    stage = Redundancy(Models(config, seed).pruned(SPARSITY))
    columns = {"part": "main", "model": "pruned", "scheme": "class_blind", "percent": percent(SPARSITY)}
    return [Entry(stage, columns, series=lambda runner: read_series(runner.run_dir(stage)))]
