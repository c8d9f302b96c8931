"""Text to fixed-shape batches: corpora, vocabularies, token ids on disk, and the plan of batches.

Nothing here imports jax.
"""

from seq2slim.data.batching import Batch, BatchConfig, evaluation_batches, plan_epoch, train_batches
from seq2slim.data.corpora import Corpus, CorpusConfig, read_lines
from seq2slim.data.tokenised import TokenisedCorpus, TokenisedSplit
from seq2slim.data.tokenising import tokenise
from seq2slim.data.vocabulary import Vocabulary, VocabularyConfig, train_vocabularies

__all__ = [
    "Batch",
    "BatchConfig",
    "Corpus",
    "CorpusConfig",
    "TokenisedCorpus",
    "TokenisedSplit",
    "Vocabulary",
    "VocabularyConfig",
    "evaluation_batches",
    "plan_epoch",
    "read_lines",
    "tokenise",
    "train_batches",
    "train_vocabularies",
]
