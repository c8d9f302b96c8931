"""Without retraining, pruning all weight classes together loses the least BLEU (See, Luong & Manning 2016, fig. 3).

    make experiment EXP=fig3_schemes ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: the baseline, and the model pruned by each of the three schemes and at random, 10 to 90%, not retrained. The first
seed has all percentages, the others those of fig6_retraining.
Settings (--recipe small): LSTM 2 x 256, dot attention, dropout 0.2; vocabulary unigram 8,000 | 4,000, sentences up to
50 tokens, source reversed; training adam 0.006 (cosine) x 8 epochs of batch 64, label smoothing 0.1; beam 5, length
penalty 1.
Cost: one baseline per seed, and 68 evaluations with beam search (not greedy: so the class-blind rows are those of
fig6_retraining), 10 to 20 s each on 2 cores.
Expected: in the paper class-blind is the best throughout; here the three stay within 1 BLEU of each other up to 60%,
random masks fall at once, and about 40% can be pruned at little loss.
"""

from experiments.see2016.run import run
from experiments.see2016.study import SHOWN_SCHEMES, Config, Entry, Models, model_entry


def main(config, runner):
    """Runs this experiment, and writes the report of the study from all stored rows."""
    run({"fig3_schemes": entries}, config, runner)


def entries(config: Config, seed: int) -> list[Entry]:
    """The baseline, and each scheme at each percentage."""
    models = Models(config, seed)
    sparsities = sorted({*config.curve, *config.repeated}) if config.is_first(seed) else config.repeated
    return [
        model_entry(models, "baseline", models.baseline),
        *(
            model_entry(models, "pruned", models.pruned(x, scheme), x, scheme=scheme)
            for scheme in SHOWN_SCHEMES
            for x in sparsities
        ),
    ]
