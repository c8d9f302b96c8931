"""A slow beam search and an enumeration under any `BeamRules` and any constraint, in plain Python, for one sentence."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from tests.support.beam_oracles import BOS, EOS, PAD, next_state


class Rules(NamedTuple):
    """What the oracle searches by: its own words for the fields of `BeamRules`."""

    eos: int | None = EOS
    normalise: bool = True
    accumulate: str = "sum"
    never: tuple = ()


def permutation(source, eos):
    """prefix -> the tokens that may follow in a permutation of the source's words."""

    def allowed(prefix):
        left = Counter(source) - Counter(prefix)
        return set(left) if left else {eos}

    return allowed


def token_scores(logits, rules, allowed, prefix):
    """{token: score} of the tokens that may follow `prefix`, apart from limits on the length."""
    logits = {token: float(logit) for token, logit in enumerate(logits)}
    closed = ({PAD, BOS} | set(rules.never)) - {rules.eos}
    if allowed is not None:
        logits = {token: logits[token] for token in sorted(allowed(prefix) - closed - {None})}
    total = np.logaddexp.reduce(list(logits.values())) if rules.normalise and logits else 0.0
    return {token: logit - total for token, logit in logits.items() if token not in closed}


def successors(table, hypothesis, rules, shortest, longest, allowed):
    """[(score, token, state)] of a hypothesis (score, prefix, state, last token), by token."""
    score, prefix, state, last = hypothesis
    state, length = next_state(state, last), len(prefix) + 1
    found = []
    for token, own in sorted(token_scores(table[state], rules, allowed, prefix).items()):
        if rules.eos is None:
            legal = length <= longest
        else:
            legal = length >= min(shortest, longest) if token == rules.eos else length < longest
        if legal:
            found.append((own + score if rules.accumulate == "sum" else own, token, state))
    return found


def every_output(table, state, rules, shortest, longest, allowed=None):
    """[(score, tokens)] of all outputs, best first."""
    found, growing = [], [(0.0, [], state, BOS)] if longest else []
    while growing:
        hypothesis = growing.pop()
        for score, token, after in successors(table, hypothesis, rules, shortest, longest, allowed):
            tokens = [*hypothesis[1], token]
            if token == rules.eos or (rules.eos is None and len(tokens) == longest):
                found.append((score, tokens))
            else:
                growing.append((score, tokens, after, token))
    return sorted(found, key=lambda output: -output[0])


def slow_beam(table, state, rules, beam, shortest, longest, allowed=None):
    """[(score, tokens)] of the K best that a beam finds, best first: the rules at the top of beam.py, with lists."""
    live, finished = [(0.0, [], state, BOS)], []
    for length in range(1, longest + 1):
        candidates = []
        for slot, hypothesis in enumerate(live):
            for score, token, after in successors(table, hypothesis, rules, shortest, longest, allowed):
                candidates.append((-score, slot, token, hypothesis[1], after))
        candidates.sort(key=lambda candidate: candidate[:3])
        going_on = [candidate for candidate in candidates if candidate[2] != rules.eos][:beam]
        live = [(-cost, [*prefix, token], after, token) for cost, _, token, prefix, after in going_on]
        if rules.eos is None:
            if length == longest:
                return [(score, tokens) for score, tokens, *_ in live]
            continue
        finished += [(-c, [*prefix, token]) for c, _, token, prefix, _ in candidates[:beam] if token == rules.eos]
        finished = sorted(finished, key=lambda output: -output[0])[:beam]  # stable: the older first
        falling = rules.normalise and rules.accumulate == "sum"
        if not live or (falling and len(finished) == beam and finished[-1][0] >= live[0][0]):
            break
    return finished


def as_source(sentences, width):
    """int32[B, width], padded with PAD on the right."""
    return np.array([[*words, *[PAD] * (width - len(words))] for words in sentences], np.int32)
