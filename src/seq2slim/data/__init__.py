"""From text to batches of fixed shapes: `corpora`, `vocabulary`, `tokenised`, `batching`. Nothing here imports jax."""
