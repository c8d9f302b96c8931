"""Beam search with a trained model, or with an ensemble: model and search joined in one jitted function."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from seq2slim.data.batching import Batch
from seq2slim.decoding import model_search
from seq2slim.decoding.constraints import Constraint
from seq2slim.decoding.hypotheses import BeamResult
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.errors import UserError
from seq2slim.inference.model_files import Model

_STATIC = ("modules", "config", "constraint", "fixed_length", "normalise", "accumulate", "reverse_source")
_search = jax.jit(model_search.search, static_argnames=_STATIC)


def make_search(
    models: Model | Sequence[Model], config: SearchConfig, constraint: Constraint | None = None, **scoring: Any
) -> Callable[[Batch], BeamResult]:
    """batch -> BeamResult, compiled once per source width; hypotheses share the memory of their sentence.

    Args:
      models: one, or an ensemble, which averages word probabilities and attention.
      config: how to search.
      constraint: which tokens may follow; None: any. The same object in each call, or the search is compiled anew.
      scoring: fixed_length, normalise and accumulate of `model_search.search`.
    Raises: UserError if the models read the source in different directions, or have different vocabularies.
    """
    models = (models,) if isinstance(models, Model) else tuple(models)
    if len({(m.reverse_source, m.config.source_vocabulary, m.config.target_vocabulary) for m in models}) != 1:
        raise UserError("an ensemble needs models of the same vocabularies that read the source the same way")
    modules, params = tuple(model.module for model in models), tuple(model.params for model in models)
    if constraint is not None:  # else the direction says nothing to the search, and models share a compilation
        scoring["reverse_source"] = models[0].reverse_source
    return lambda batch: _search(modules, params, batch.source, config, constraint, **scoring)
