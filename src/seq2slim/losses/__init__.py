"""Losses of the words of a batch: they begin at the softmax layer, and make its gradient beside the loss."""

from seq2slim.losses.nll import cross_entropy
from seq2slim.losses.word_distillation import SoftmaxLayer, TopK, word_distillation

__all__ = ["SoftmaxLayer", "TopK", "cross_entropy", "word_distillation"]
