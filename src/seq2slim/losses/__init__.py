"""Losses of the words of a batch: from the softmax layer on, with their gradients; and of a model as a whole."""

from seq2slim.losses.nll import cross_entropy
from seq2slim.losses.teacher_forcing import batch_distillation, batch_nll
from seq2slim.losses.word_distillation import SoftmaxLayer, TopK, word_distillation

__all__ = ["SoftmaxLayer", "TopK", "batch_distillation", "batch_nll", "cross_entropy", "word_distillation"]
