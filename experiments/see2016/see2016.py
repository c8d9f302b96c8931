"""The pruning study of See, Luong & Manning (2016), re-run: every figure, table and claim, and whether it holds here.

    make experiment EXP=see2016 ARGS="--corpus.name text --corpus.train A.en A.de --corpus.valid B.en B.de \\
        --corpus.test C.en C.de --title multi30k-en-de"
    make experiment EXP=see2016 SMOKE=1       # on a toy language, in about two minutes
    make experiment EXP=see2016 ARGS="--only-report --publish"    # the committed report, from its rows and series

Runs fig6_retraining, fig3_schemes, fig4_breakdown, fig5_magnitude, fig7_loss, fig8_redundancy, regularisation,
small_model, storage and full_size, all of one seed before the next; a stage that several need is run once, and one that
was interrupted goes on from its last save. What is left to do, and for how long, is printed before it starts.
--use-published takes the rows that are published instead of computing them.
Cost: with the recipe small on Multi30k about 4 hours of 2 cores.
Expected: experiments/results/see2016/report.md.
"""

from dataclasses import dataclass

from experiments import report
from experiments.see2016 import report as study_report
from experiments.see2016 import study
from seq2slim.runs import results

TAKES_PUBLISHED_ROWS = True


@dataclass(frozen=True)
class Config(study.Config):
    """The study's options.

    Attributes: only_report: run nothing; write report and figures again from the rows and series that are there.
    """

    only_report: bool = False


def start(arguments):
    """The defaults: settings are those of the recipe that the arguments name."""
    return study.start(arguments, Config())


smoke = study.smoke


def main(config, runner):
    """Runs all of the study; writes report, rows, series and figures."""
    if not config.only_report:
        study_report.run(study_report.EXPERIMENTS, config, runner)
        return
    folder = report.folder(runner, study.NAME)
    for path in study_report.write(*results.published(folder), folder):
        runner.console.say(str(path))
