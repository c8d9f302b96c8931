"""Searching with a trained model: how, as one dataclass, and the jitted search itself."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp

from seq2slim.data.batching import Batch
from seq2slim.data.vocabulary import BOS, EOS, PAD
from seq2slim.decoding.beam import beam_search
from seq2slim.decoding.constraints import LIMITS
from seq2slim.decoding.hypotheses import BeamResult
from seq2slim.decoding.length_penalty import LengthPenalty
from seq2slim.models import Seq2Seq
from seq2slim.pipeline.model_files import Model


@dataclass(frozen=True)
class SearchConfig:
    """How translations are searched for.

    Attributes:
      beam: K, hypotheses kept a sentence; 1 is greedy.
      length_penalty: how length enters the ranking score; none for the papers.
      limits: shortest and longest translation: the paper's 0.5 to 1.5 times the source, or at least source + 10 (wide).
      replace_unknown: copy the attended source word in place of <unk>.
      batch_size: sentences searched together.
    """

    beam: int = 5
    length_penalty: LengthPenalty = LengthPenalty()
    limits: Literal["paper", "wide"] = "wide"
    replace_unknown: bool = False
    batch_size: int = 32

    def __post_init__(self):
        for name in ("beam", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.limits not in LIMITS:
            raise ValueError(f"limits must be one of {sorted(LIMITS)}, got {self.limits!r}")


def make_search(model: Model, config: SearchConfig) -> Callable[[Batch], BeamResult]:
    """batch -> BeamResult with `model`, compiled once a source width; hypotheses share the memory of their sentence."""
    return lambda batch: _search(model.module, config, model.params, batch.source)


@partial(jax.jit, static_argnums=(0, 1))
def _search(module: Seq2Seq, config: SearchConfig, params, source) -> BeamResult:
    variables, limits = {"params": params}, LIMITS[config.limits]
    memory, carry = module.apply(variables, source, method="start")

    def step(carry, tokens):
        logits, weights, carry = module.apply(variables, memory, carry, tokens, method="step")
        # Without attention nothing is aligned: an unknown word is left as it is.
        aligned = weights.argmax(-1) if module.config.attention != "none" else jnp.full(tokens.shape, -1)
        return logits, carry, aligned

    lengths = limits((source != PAD).sum(-1))
    return beam_search(
        step,
        carry,
        beam=config.beam,
        max_steps=int(limits(source.shape[1]).max_length),
        pad=PAD,
        bos=BOS,
        eos=EOS,
        min_length=lengths.min_length,
        max_length=lengths.max_length,
        length_penalty=config.length_penalty,
    )
