"""Corpus perplexity."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import jax

from seq2slim.data import batching
from seq2slim.errors import UserError
from seq2slim.losses import batch_nll
from seq2slim.models import Seq2Seq, Seq2SeqConfig


class Perplexity(NamedTuple):
    """Perplexity of a corpus and what it was computed from."""

    perplexity: float  # exp(nll / tokens); inf beyond the range of a float
    nll: float  # total negative log-likelihood, nats
    tokens: int  # target tokens, including EOS, excluding padding


def corpus_perplexity(loss: Callable[[Any], tuple[Any, Any]], batches: Iterable[Any]) -> Perplexity:
    """exp(total NLL / number of target tokens), EOS and <unk> counted as tokens (Luong et al. 2015).

    One quotient over the corpus, not a mean over batches, which would weigh short batches too much. Sums are float64 on
    the host.

    Args:
      loss: batch -> (summed NLL in nats, number of target tokens), scalars of any kind; usually a jitted function.
      batches: inputs of `loss` that contain each sentence pair once.
    Returns: Perplexity; nan if any loss is nan.
    Raises: UserError if there is no target token.
    """
    nll, tokens = 0.0, 0
    for batch in batches:
        batch_nll, batch_tokens = loss(batch)
        nll += float(batch_nll)
        tokens += int(batch_tokens)
    if tokens == 0:
        raise UserError("perplexity needs at least one target token, got none (empty split, or all rows are padding)")
    return Perplexity(safe_exp(nll / tokens), nll, tokens)


def model_perplexity(
    config: Seq2SeqConfig, params, split, batches: batching.BatchConfig, rows=None, watched: Callable = iter
) -> Perplexity:
    """Perplexity of a model on a tokenised split, or on `rows` of it; `watched` wraps the iterator over batches."""
    loss = partial(eval_step, Seq2Seq(config), params)
    return corpus_perplexity(loss, watched(batching.evaluation_batches(split, batches, rows=rows)))


@partial(jax.jit, static_argnums=0)
def eval_step(model: Seq2Seq, params, batch):
    """(nll f32[] in nats, tokens f32[]), summed over the batch's target tokens; no dropout, no label smoothing."""
    _, nll, tokens = batch_nll(model, params, batch)
    return nll, tokens


def safe_exp(x: float) -> float:
    """exp(x), inf where it overflows (an untrained or diverged model), nan for nan."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf
