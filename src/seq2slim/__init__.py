"""Small sequence-to-sequence models in JAX: pruning, sparse files, and distillation.

    import seq2slim

    model = seq2slim.load("runs/retrain-...")
    model.translate(["a sentence", "another one"], beam=5)

The rooms are `pruning` (works on anyone's JAX model), `data`, `models`, `losses`, `decoding`, `training`, `storage`,
`distillation`, `evaluation` and `pipeline`; each is imported when it is first used.
"""

import importlib

_LAZY = {"load": "seq2slim.pipeline.translator", "Translator": "seq2slim.pipeline.translator"}
_ROOMS = (
    "data", "decoding", "distillation", "evaluation", "losses", "models", "pipeline", "pruning", "storage", "training",
)  # fmt: skip
__all__ = [*_LAZY, *_ROOMS]


def __getattr__(name: str):
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
