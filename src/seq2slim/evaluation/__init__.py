"""Quality of a model: translation, BLEU and perplexity."""

from seq2slim.evaluation.bleu import Bleu, bleu, paired_bootstrap
from seq2slim.evaluation.bootstrap import PairedBootstrap, compare_systems
from seq2slim.evaluation.perplexity import Perplexity, corpus_perplexity
from seq2slim.evaluation.translate import UnknownWords, search_lines, translate

__all__ = [
    "Bleu",
    "PairedBootstrap",
    "Perplexity",
    "UnknownWords",
    "bleu",
    "compare_systems",
    "corpus_perplexity",
    "paired_bootstrap",
    "search_lines",
    "translate",
]
