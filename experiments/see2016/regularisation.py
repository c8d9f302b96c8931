"""Less pruned models overfit more: the gap between training and validation loss shrinks (See et al. 2016, sec. 4.3).

    make experiment EXP=regularisation ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: those of fig6_retraining: perplexity of a sample of training pairs and of valid, pruned and retrained.
Settings (--recipe small): LSTM 2 x 256, dot attention, dropout 0.2; vocabulary unigram 8,000 | 4,000, sentences up to
50 tokens, source reversed; training adam 0.006 (cosine) x 8 epochs of batch 64, label smoothing 0.1; retraining adam
0.008 (cosine) x 6 epochs of batch 64, dropout by density, label smoothing 0.1; beam 5, length penalty 1.
Cost: nothing once fig6_retraining has run.
Expected: the gap shrinks with the percentage pruned, here from about 60% on.
"""

from experiments.see2016 import fig6_retraining
from experiments.see2016.run import run
from experiments.see2016.study import Config, Entry, Models


def main(config, runner):
    """Runs this experiment, and writes the report of the study from all stored rows."""
    run({"regularisation": entries}, config, runner)


def entries(config: Config, seed: int) -> list[Entry]:
    """Baseline, control, pruned and retrained."""
    once = config.once if config.is_first(seed) else ()
    return fig6_retraining.retrained_entries(Models(config, seed), sorted({*config.repeated, *once}))
