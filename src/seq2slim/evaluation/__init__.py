"""How good a model is: perplexity, BLEU, and the translations BLEU is taken from."""
