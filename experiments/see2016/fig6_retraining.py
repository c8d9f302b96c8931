"""Retraining brings a pruned model back; training the same sparse model from the start does not (See et al., fig. 6).

    make experiment EXP=fig6_retraining ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: baseline | its control, trained further for as many steps as a pruned model is retrained | pruned class-blind 40
to 90% | retrained | trained sparse from the beginning, from new random weights | the same from the initial weights of
the baseline (the lottery ticket) | the same from the new weights with the masks shuffled within each class. All seeds
have the first four and sparse from the beginning at 80%; the first also has sparse at 50 and 90%, ticket and shuffled
at 80 and 90%, and baseline to retrained at 80 and 90% on a second corpus.
Settings (--recipe small): LSTM 2 x 256, dot attention, dropout 0.2; vocabulary unigram 8,000 | 4,000, sentences up to
50 tokens, source reversed; training adam 0.006 (cosine) x 8 epochs of batch 64, label smoothing 0.1; retraining adam
0.008 (cosine) x 6 epochs of batch 64, dropout by density, label smoothing 0.1; beam 5, length penalty 1.
Cost: with the recipe small on Multi30k about 6 minutes of 2 cores per training and 4.5 per retraining: 35 minutes per
seed, and an hour and a half for the additional rows of the first.
Expected: retrained within 1 BLEU of the baseline up to 80%; sparse from the beginning below it; shuffled lower still.
"""

from experiments.see2016.run import run
from experiments.see2016.study import Config, Entry, Models, compared, model_entry

HEADLINE = (0.8, 0.9)


def main(config, runner):
    """Runs this experiment, and writes the report of the study from all stored rows."""
    run({"fig6_retraining": entries}, config, runner)


def entries(config: Config, seed: int) -> list[Entry]:
    """The models, controls and comparisons of one seed."""
    models, first = Models(config, seed), config.is_first(seed)
    made = retrained_entries(models, sorted({*config.repeated, *(config.once if first else ())}))
    for x in sorted({0.8, 0.9, *config.once}) if first else (0.8,):
        made.append(model_entry(models, "sparse", models.sparse(x), x))
    for x in HEADLINE if first else ():
        made.append(model_entry(models, "ticket", models.ticket(x), x))
        made.append(model_entry(models, "shuffled", models.shuffled(x), x))
    for x in sorted({*HEADLINE} & {*config.repeated}):
        made += compared(models, x)
    if first and config.headline != config.corpus:
        second = Models(config, seed, config.headline)
        columns = {"part": "headline", "corpus": config.headline.name}
        made += retrained_entries(second, HEADLINE, **columns)
        for x in HEADLINE:
            made += compared(second, x, **columns)
    return made


def retrained_entries(models: Models, sparsities, **columns) -> list[Entry]:
    """Baseline, control, and at each sparsity pruned and retrained."""
    made = [
        model_entry(models, "baseline", models.baseline, **columns),
        model_entry(models, "control", models.control, **columns),
    ]
    for x in sparsities:
        made.append(model_entry(models, "pruned", models.pruned(x), x, **columns))
        made.append(model_entry(models, "retrained", models.retrained(x), x, **columns))
    return made
