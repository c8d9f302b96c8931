"""Random English sentences of few words, to train vocabularies on."""

import random

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "seven", "wizards", "box"]
LINES = [" ".join(random.Random(seed).choices(WORDS, k=8)) for seed in range(300)]
