"""Small sequence-to-sequence models in JAX: pruning, sparse files, and distillation.

    import seq2slim

    model = seq2slim.load("runs/retrain-...")
    model.translate(["a sentence", "another one"], beam=5)

Packages, each imported when it is first used: `pruning` (works on any JAX model), `data`, `models`, `losses`,
`decoding`, `training`, `evaluation`, `distillation`, `storage`, `tasks`, `recipes`, `inference`, `runs` and `stages`.
All but `pruning` and `decoding` need the extra [nmt]; importing them without it is an error that says what to type.
"""

import importlib

from seq2slim.installation import VERSION, watch_imports

_FROM_INFERENCE = ("Translator", "load")
_PACKAGES = (
    "data", "decoding", "distillation", "evaluation", "inference", "losses", "models", "pruning", "recipes", "runs",
    "stages", "storage", "tasks", "training",
)  # fmt: skip
__all__ = [*_FROM_INFERENCE, *_PACKAGES]
__version__ = VERSION
watch_imports()


def __getattr__(name: str):
    """Imports on first use (PEP 562), so that `import seq2slim.pruning` brings nothing else along."""
    if name in _FROM_INFERENCE:
        return getattr(importlib.import_module("seq2slim.inference.translator"), name)
    if name in _PACKAGES:
        return importlib.import_module(f"seq2slim.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
