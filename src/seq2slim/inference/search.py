"""Beam search with a trained model, or with an ensemble: model and search joined in one jitted function."""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp

from seq2slim.data.batching import Batch
from seq2slim.decoding.beam import beam_search
from seq2slim.decoding.constraints import LIMITS
from seq2slim.decoding.ensemble import mean_of_probabilities
from seq2slim.decoding.hypotheses import BeamResult
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.errors import UserError
from seq2slim.inference.model_files import Model
from seq2slim.models import Seq2Seq
from seq2slim.special_ids import BOS, EOS, PAD


def make_search(models: Model | Sequence[Model], config: SearchConfig) -> Callable[[Batch], BeamResult]:
    """batch -> BeamResult, compiled once per source width; hypotheses share the memory of their sentence.

    Args:
      models: one, or an ensemble, which averages word probabilities and attention.
      config: how to search.
    Raises: UserError if the models read the source in different directions, or have different vocabularies.
    """
    models = (models,) if isinstance(models, Model) else tuple(models)
    if len({(m.reverse_source, m.config.source_vocabulary, m.config.target_vocabulary) for m in models}) != 1:
        raise UserError("an ensemble needs models of the same vocabularies that read the source the same way")
    modules, params = tuple(model.module for model in models), tuple(model.params for model in models)
    return lambda batch: _search(modules, config, params, batch.source)


@partial(jax.jit, static_argnums=(0, 1))
def _search(modules: tuple[Seq2Seq, ...], config: SearchConfig, params, source) -> BeamResult:
    limits = LIMITS[config.limits]
    starts = [module.apply({"params": own}, source, method="start") for module, own in zip(modules, params)]
    memories, carries = zip(*starts)

    def step(carries, tokens):
        taken = [
            module.apply({"params": own}, memory, carry, tokens, method="step")
            for module, own, memory, carry in zip(modules, params, memories, carries)
        ]
        logits, weights, carries = zip(*taken)
        # Without attention nothing is aligned, and unknown words stay.
        attending = [w for module, w in zip(modules, weights) if module.config.attention != "none"]
        aligned = sum(attending[1:], attending[0]).argmax(-1) if attending else jnp.full(tokens.shape, -1)
        return mean_of_probabilities(logits), carries, aligned

    lengths = limits((source != PAD).sum(-1))
    return beam_search(
        step,
        carries,
        beam=config.beam,
        max_steps=int(limits(source.shape[1]).max_length),
        pad=PAD,
        bos=BOS,
        eos=EOS,
        min_length=lengths.min_length,
        max_length=lengths.max_length,
        length_penalty=config.length_penalty,
    )
