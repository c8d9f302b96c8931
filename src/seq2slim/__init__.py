"""Small sequence-to-sequence models in JAX: pruning, distillation and beam-search optimisation."""
