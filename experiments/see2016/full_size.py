"""The paper's own model, 216M weights, trains, is pruned by each scheme, retrains and is stored on an ordinary machine.

    make experiment EXP=full_size ARGS="--corpus.name text --corpus.train A.en A.de ... --title multi30k-en-de"

Rows: one, with seconds and peak memory of each phase: three steps of training at the paper's batch of 128, all padded
to the widest shape; 80% pruned by each scheme; three steps of retraining; export and reload. First seed only.
Settings (--paper see2016): LSTM 4 x 1000, dot attention, dropout 0.2; vocabulary words 50,000, sentences up to 50
tokens, source reversed.
Cost: about 5 minutes of 2 cores, and 9 GB of memory.
Expected: it ends; nothing takes more than 24 GiB.
"""

from experiments.see2016.run import run
from experiments.see2016.study import Config, Entry, percent
from seq2slim.recipes import RECIPES
from seq2slim.runs.records import read_series
from seq2slim.stages.dry_run import DryRun
from seq2slim.stages.text import Text


def main(config, runner):
    """Runs this experiment, and writes the report of the study from all stored rows."""
    run({"full_size": entries}, config, runner)


def entries(config: Config, seed: int) -> list[Entry]:
    """The dry run on the study's corpus, first seed only."""
    if not config.is_first(seed):
        return []
    recipe = RECIPES[config.paper]
    text = Text(config.corpus, recipe.vocabulary, recipe.max_length)
    stage = DryRun(
        text, recipe.model, recipe.vocabulary.size, recipe.training, recipe.retraining, recipe.reverse_source, seed=seed
    )
    columns = {"part": "main", "model": recipe.model.preset, "percent": percent(stage.sparsity)}
    return [Entry(stage, columns, series=lambda runner: read_series(runner.run_dir(stage)))]
