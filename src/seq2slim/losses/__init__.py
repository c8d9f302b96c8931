"""Losses of the words of a batch, from the softmax layer on, computed together with their gradients."""

from seq2slim.losses.nll import cross_entropy
from seq2slim.losses.word_distillation import SoftmaxLayer, TopK, word_distillation

__all__ = ["SoftmaxLayer", "TopK", "cross_entropy", "word_distillation"]
