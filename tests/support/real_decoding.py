"""The real Decode stage on the toy corpus, in shards of one batch: for the drill with kill -9.

python -m tests.support.real_decoding RUNS
"""

import sys
from pathlib import Path

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.inference import teacher as decode
from seq2slim.models import ModelOptions
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.stages.decode import Decode
from seq2slim.stages.text import Text
from seq2slim.stages.train import Train
from seq2slim.training.config import TrainingConfig

TEXT = Text(CorpusConfig("reverse"), VocabularyConfig("words", 20))
TEACHER = Train(TEXT, ModelOptions("tiny", units=8), TrainingConfig(max_steps=2, shapes=1, keep="last"))
STAGE = Decode(TEXT, (TEACHER,), SearchConfig(beam=4))


def run(runs: Path) -> Runner:
    """Runs the stage to its end."""
    decode.SHARD_BATCHES = 1
    runner = Runner(runs, Console())
    runner.run(STAGE)
    return runner


if __name__ == "__main__":
    run(Path(sys.argv[1]))
