"""The larger the largest weight deleted from a class, the larger the damage (See, Luong & Manning 2016, fig. 5).

    make experiment EXP=fig5_magnitude ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: those of fig4_breakdown under class-uniform: each class 90% pruned alone.
Settings (--recipe small): LSTM 2 x 256, dot attention, dropout 0.2; vocabulary unigram 8,000 | 4,000, sentences up to
50 tokens, source reversed; training adam 0.006 (cosine) x 8 epochs of batch 64, label smoothing 0.1.
Cost: that of fig4_breakdown; nothing more once it has run.
Expected: in the paper a positive relation; here, with 8 classes, none.
"""

from experiments.see2016 import fig4_breakdown
from experiments.see2016.run import run
from experiments.see2016.study import Config, Entry


def main(config, runner):
    """Runs this experiment, and writes the report of the study from all stored rows."""
    run({"fig5_magnitude": entries}, config, runner)


def entries(config: Config, seed: int) -> list[Entry]:
    """Each class alone under class-uniform."""
    return fig4_breakdown.breakdown(config, seed, ("class_uniform",))
