"""What an experiment is made of: stages that run once, the runner that runs them, the rows they yield; and trained
models that translate. What is named here is imported when it is first used."""

import importlib

_HOMES = {
    "Compare": "stages.evaluate",
    "Evaluate": "stages.evaluate",
    "Hypothesis": "translator",
    "Model": "model_files",
    "Prune": "stages.prune",
    "RECIPES": "recipes",
    "Recipe": "recipes",
    "Retrain": "stages.train",
    "RunOptions": "runner",
    "Runner": "runner",
    "SearchConfig": "search",
    "Stage": "stage",
    "Text": "stages.text",
    "Train": "stages.train",
    "Translator": "translator",
    "identity": "stage",
    "lineage": "records",
    "load": "translator",
    "load_model": "model_files",
    "make_search": "search",
    "save_model": "model_files",
    "stage_of": "rebuild",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
