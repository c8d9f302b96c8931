"""`python -m tests.pipeline.real_training RUNS` trains the tiny model on the reverse toy, prunes it and retrains it."""

import sys
from pathlib import Path

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.models import ModelOptions
from seq2slim.pipeline.runner import Runner
from seq2slim.pipeline.stages.prune import Prune
from seq2slim.pipeline.stages.text import Text
from seq2slim.pipeline.stages.train import Retrain, Train
from seq2slim.training.config import TrainingConfig

# Dropout, a moving average and momentum: all that could be forgotten between two saves.
TRAINING = TrainingConfig(epochs=1, shapes=1, average_decay=0.99, evaluations_per_epoch=8)
BASELINE = Train(
    Text(CorpusConfig("reverse"), VocabularyConfig("words", 20)),
    ModelOptions("tiny", units=16, dropout=0.2),
    TRAINING,
)
RETRAINED = Retrain(Prune(BASELINE), TRAINING)

if __name__ == "__main__":
    Runner(Path(sys.argv[1])).run(RETRAINED)
