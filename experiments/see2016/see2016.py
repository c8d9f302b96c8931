"""The pruning study of See, Luong & Manning (2016), re-run: every figure, table and claim, and whether it holds here.

    make experiment EXP=see2016 ARGS="--corpus.name text --corpus.train A.en A.de --corpus.valid B.en B.de \\
        --corpus.test C.en C.de --title multi30k-en-de"
    make experiment EXP=see2016 SMOKE=1       # on a toy language, in about two minutes
    make experiment EXP=see2016 ARGS="--only-report --publish"    # the committed report, from its rows and series

Runs fig6_retraining, fig3_schemes, fig4_breakdown, fig5_magnitude, fig7_loss, fig8_redundancy, regularisation,
small_model, storage and full_size, all of one seed before the next. Shared stages run once, and an interrupted one is
resumed from its last checkpoint. The work that is left, and its time, is printed before it starts.
--use-published takes published rows in place of computing them.
Settings (--recipe small): LSTM 2 x 256, dot attention, dropout 0.2; vocabulary unigram 8,000 | 4,000, sentences up to
50 tokens, source reversed; training adam 0.006 (cosine) x 8 epochs of batch 64, label smoothing 0.1; retraining adam
0.008 (cosine) x 6 epochs of batch 64, dropout by density, label smoothing 0.1; beam 5, length penalty 1.
Cost: with the recipe small on Multi30k about 4 hours of 2 cores.
Expected: experiments/results/see2016/report.md.
"""

from dataclasses import dataclass

from experiments import report
from experiments.see2016 import (
    fig3_schemes,
    fig4_breakdown,
    fig5_magnitude,
    fig6_retraining,
    fig7_loss,
    fig8_redundancy,
    full_size,
    regularisation,
    small_model,
    storage,
    study,
)
from experiments.see2016.report import write
from experiments.see2016.run import run
from seq2slim.runs import results

EXPERIMENTS = {
    "fig6_retraining": fig6_retraining.entries,
    "fig3_schemes": fig3_schemes.entries,
    "fig4_breakdown": fig4_breakdown.entries,
    "fig5_magnitude": fig5_magnitude.entries,
    "fig7_loss": fig7_loss.entries,
    "fig8_redundancy": fig8_redundancy.entries,
    "regularisation": regularisation.entries,
    "small_model": small_model.entries,
    "storage": storage.entries,
    "full_size": full_size.entries,
}
TAKES_PUBLISHED_ROWS = True


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options.

    Attributes: only_report: run nothing; write report and figures again from the stored rows and series.
    """

    only_report: bool = False


def start(arguments):
    """The default options, with the settings of the recipe that the arguments name."""
    return study.start(arguments, Config())


smoke = study.smoke


def main(config, runner):
    """Runs all of the study; writes report, rows, series and figures."""
    if not config.only_report:
        run(EXPERIMENTS, config, runner)
        return
    folder = report.folder(runner, study.NAME)
    for path in write(*results.published(folder), folder):
        runner.console.say(str(path))
