"""The join of model and search: beam search with a model, or with an ensemble, as one pure function of its parameters.

It stands below training, so that a loss may search; `inference/search.py` is the same for a trained model at work.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from seq2slim.decoding.beam import beam_search
from seq2slim.decoding.beam_rules import Accumulate
from seq2slim.decoding.constraints import Constraint
from seq2slim.decoding.ensemble import mean_of_probabilities
from seq2slim.decoding.hypotheses import BeamResult
from seq2slim.decoding.length_limits import LIMITS
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.decoding.successors import Step
from seq2slim.models import Seq2Seq
from seq2slim.special_ids import BOS, EOS, PAD


def search(
    modules: tuple[Seq2Seq, ...],
    params: tuple[Any, ...],
    source: jax.Array,
    config: SearchConfig,
    constraint: Constraint | None = None,
    *,
    fixed_length: Callable[[Any], Any] | None = None,
    normalise: bool = True,
    accumulate: Accumulate = "sum",
    reverse_source: bool = False,
) -> BeamResult:
    """The best outputs for a batch of sources. Pure; all but `params` and `source` are static under jit.

    Args:
      modules: one, or an ensemble, which averages word probabilities and attention.
      params: of each module.
      source: int32[B, S], as the models read it, padded with PAD. An empty source gets no hypothesis.
      config: beam, length penalty and limits on the length.
      constraint: which tokens may follow; None: any. With candidates, one model's softmax is multiplied at those
        columns only; an ensemble forms all V, since the mean of probabilities needs their normalisers.
      fixed_length: number of words of the source (int or int32[B]) -> number of tokens of the output, growing with it;
        outputs then have no EOS, and the limits of `config` do not apply. None: outputs end in EOS.
      normalise, accumulate: what the score of a hypothesis is (`BeamRules`).
      reverse_source: whether `source` is reversed and padded on the left; a constraint reads the order of the text.
    Raises: ValueError for raw scores of an ensemble, whose scales have nothing in common.
    """
    if len(modules) > 1 and not normalise:
        raise ValueError("an ensemble averages probabilities and has no raw scores; give normalise=True")
    step, carries = model_step(modules, params, source)
    words = (source != PAD).sum(-1)
    if fixed_length is None:
        limits = LIMITS[config.limits]
        most = int(limits(source.shape[1]).max_length)
        lengths = limits(words)._asdict() | {"eos": EOS}
    else:
        most = int(fixed_length(source.shape[1]))
        lengths = {"max_length": fixed_length(words), "eos": None, "never": (EOS,)}
    return beam_search(
        step,
        carries,
        beam=config.beam,
        max_steps=most,
        pad=PAD,
        bos=BOS,
        length_penalty=config.length_penalty,
        normalise=normalise,
        accumulate=accumulate,
        constraint=constraint,
        source=source[:, ::-1] if reverse_source else source,
        **lengths,
    )


def model_step(modules: tuple[Seq2Seq, ...], params: tuple[Any, ...], source: jax.Array) -> tuple[Step, Any]:
    """The step of `beam_search` for models that have read `source` int32[B, S], without dropout, and their carries.

    Returns: (step, carries with leading axis B). `step(carries, tokens int32[N], ids=None)` gives logits f32[N, V], or
      those of `ids` int32[N, C] alone: f32[N, C].
    """
    starts = [module.apply({"params": own}, source, method="start") for module, own in zip(modules, params)]
    memories, carries = zip(*starts)
    # Of no cost where it is not read, as it is dropped when the search is compiled.
    rows = modules[0].apply({"params": params[0]}, method="candidate_rows")

    def step(carries, tokens, ids=None):
        taken = [
            module.apply({"params": own}, memory, carry, tokens, method="step_hidden")
            for module, own, memory, carry in zip(modules, params, memories, carries)
        ]
        hidden, weights, carries = zip(*taken)
        # Without attention nothing is aligned, and unknown words stay.
        attending = [w for module, w in zip(modules, weights) if module.config.attention != "none"]
        aligned = sum(attending[1:], attending[0]).argmax(-1) if attending else jnp.full(tokens.shape, -1)
        if ids is not None and len(modules) == 1:
            logits = modules[0].apply({"params": params[0]}, rows, hidden[0], ids, method="candidate_logits")
            return logits, carries, aligned
        logits = mean_of_probabilities(
            [module.apply({"params": own}, h, method="logits") for module, own, h in zip(modules, params, hidden)]
        )
        return logits if ids is None else jnp.take_along_axis(logits, ids, axis=-1), carries, aligned

    return step, carries
