"""Losses: functions of logits or scores."""

from seq2slim.losses.nll import cross_entropy

__all__ = ["cross_entropy"]
