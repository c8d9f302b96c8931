"""Ids of the special tokens, the same in every vocabulary, model and search."""

PAD, UNK, BOS, EOS = 0, 1, 2, 3
