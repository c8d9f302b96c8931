"""Training targets from teachers: teacher corpora, the choice among n-best hypotheses, stored word distributions."""

from seq2slim.distillation.mode import mode_mass
from seq2slim.distillation.n_best import Hypothesis, read_n_best
from seq2slim.distillation.selection import nearest, scorer, sentence_bleu
from seq2slim.distillation.teacher_corpus import read_manifest
from seq2slim.distillation.top_k import TopKStore
from seq2slim.distillation.verify import verify

__all__ = [
    "Hypothesis",
    "TopKStore",
    "mode_mass",
    "nearest",
    "read_manifest",
    "read_n_best",
    "scorer",
    "sentence_bleu",
    "verify",
]
