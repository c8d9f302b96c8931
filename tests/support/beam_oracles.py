"""A toy model whose scores depend on the whole prefix, and slow searches over it, in plain Python."""

import itertools

import jax.numpy as jnp
import numpy as np

PAD, UNK, BOS, EOS = range(4)
VOCABULARY = 7
WORDS = [UNK, 4, 5, 6]  # what may be emitted beside EOS
STATES = 1021  # prime: prefixes of up to 4 words rarely share a state
SOURCE = 9


def random_table(seed, spread=2.0):
    """Logits f32[STATES, V]."""
    return np.random.default_rng(seed).normal(0, spread, (STATES, VOCABULARY)).astype(np.float32)


def integer_table(seed):
    """Small integers as log-probabilities: sums are exact in float32, and ties are everywhere."""
    return -np.random.default_rng(seed).integers(0, 4, (STATES, VOCABULARY)).astype(np.float32)


def table_step(table):
    """A step for beam_search: the carry is a number that hashes the prefix; its start tells sentences apart."""

    def step(state, token):
        state = next_state(state, token)
        return jnp.asarray(table)[state], state, state % SOURCE

    return step


def next_state(state, token):
    return (state * 31 + token * 17 + 5) % STATES


def log_softmax(row):
    row = row.astype(np.float64)
    return row - row.max() - np.log(np.exp(row - row.max()).sum())


def identity(row):
    return row.astype(np.float64)


def penalty(kind, alpha, length):
    return {"none": 1.0, "gnmt": ((5 + length) / 6) ** alpha, "power": float(length) ** alpha}[kind]


def follow(table, state, words, log_probs, last=EOS):
    """(log-probability, attention) of words + the last token."""
    total, attention, token = 0.0, [], BOS
    for word in [*words, last]:
        state = next_state(state, token)
        attention.append(state % SOURCE)
        total += log_probs(table[state])[word]
        token = word
    return total, attention


def enumerate_all(table, state, kind, alpha, shortest, longest):
    """Every output from `shortest` to `longest` tokens with EOS: [(score, log-probability, tokens)], best first."""
    found = []
    for count in range(shortest - 1, longest):
        for words in itertools.product(WORDS, repeat=count):
            total, _ = follow(table, state, words, log_softmax)
            found.append((total / penalty(kind, alpha, count + 1), total, [*words, EOS]))
    return sorted(found, key=lambda hypothesis: -hypothesis[0])


def greedy(table, state, shortest, longest):
    """The best token at a time, until EOS."""
    tokens, token = [], BOS
    while True:
        state = next_state(state, token)
        allowed = [] if len(tokens) + 1 >= longest else list(WORDS)
        if len(tokens) + 1 >= min(shortest, longest):
            allowed.append(EOS)
        token = max(sorted(allowed), key=lambda word: table[state][word])
        tokens.append(token)
        if token == EOS:
            return tokens


def naive_beam(table, state, beam, kind, alpha, shortest, longest, log_probs=log_softmax):
    """The rules at the top of beam.py for one sentence, with lists: [(score, log-probability, tokens)], best first."""
    live, finished = [(0.0, [], state, BOS)], []
    for length in range(1, longest + 1):
        candidates = []
        for slot, (total, words, state, token) in enumerate(live):
            state = next_state(state, token)
            scores = log_probs(table[state])
            allowed = ([EOS] if length >= min(shortest, longest) else []) + (WORDS if length < longest else [])
            candidates += [(-(total + scores[word]), slot, word, words, state) for word in allowed]
        candidates.sort(key=lambda candidate: candidate[:3])
        for rank, (cost, _, word, words, _) in enumerate(candidates):
            if word == EOS and rank < beam:
                finished.append((-cost / penalty(kind, alpha, length), -cost, [*words, EOS]))
        finished = sorted(finished, key=lambda hypothesis: -hypothesis[0])[:beam]  # stable: the older first
        going_on = [candidate for candidate in candidates if candidate[2] != EOS][:beam]
        live = [(-cost, [*words, word], state, word) for cost, _, word, words, state in going_on]
        if not live or (len(finished) == beam and finished[-1][0] >= live[0][0] / penalty(kind, alpha, length)):
            break
    return finished
