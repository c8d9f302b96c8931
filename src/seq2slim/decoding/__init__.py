"""Search for the best output of a model: batched beam search, its limits, and unknown-word replacement."""
