"""The version of seq2slim, and its extras: which packages each brings, and the error when one is missing.

A plain installation brings what `pruning` needs. The other packages of seq2slim need an extra; importing one without it
raises `MissingExtra`, whose message is one line that says what to type.
"""

import importlib.machinery
import importlib.util
import sys

VERSION = "0.1.0"
REPOSITORY = "https://github.com/OWNER/seq2slim"
# Extra -> the packages that it brings, as they are imported. pyproject.toml has their versions.
EXTRAS = {
    "nmt": ("flax", "orbax", "rich", "sacrebleu", "scipy", "sentencepiece", "tensorboardX", "tyro", "zstandard"),
    "experiments": ("array_record", "importlib_resources", "matplotlib", "tensorflow_datasets"),
}
# Our package -> one package that it cannot do without, by whose absence an extra is known to be missing.
_NEEDS = {
    f"seq2slim.{name}": "matplotlib" if name == "plots" else "flax"
    for name in (
        "data", "distillation", "evaluation", "inference", "losses", "models", "plots", "recipes", "runs", "stages",
        "storage", "tasks", "training",
    )
}  # fmt: skip


class MissingExtra(ImportError):
    """A package that an extra brings is not installed."""


def missing_extra(package: str | None) -> MissingExtra | None:
    """The error for a package that is not installed (its name as imported); None if no extra brings it."""
    top = (package or "").partition(".")[0]
    for extra, brings in EXTRAS.items():
        if top in brings:
            return MissingExtra(
                f"{top} is not installed, which the extra [{extra}] brings; type: "
                f'pip install "seq2slim[{extra}] @ git+{REPOSITORY}" (in a clone: pip install -e ".[{extra}]")',
                name=top,
            )
    return None


def require(package: str):
    """Raises: MissingExtra if `package`, which an extra brings, is not installed. It is not imported."""
    if importlib.util.find_spec(package) is None:
        raise missing_extra(package)


class ExtrasFinder:
    """Finds nothing: it is asked before a package of ours is imported, however that is written, and raises."""

    @staticmethod
    def find_spec(name, path=None, target=None) -> importlib.machinery.ModuleSpec | None:
        if name in _NEEDS:
            require(_NEEDS[name])
        return None


def watch_imports():
    """From now on, importing a package of ours without its extra raises MissingExtra. Raises nothing by itself."""
    if ExtrasFinder not in sys.meta_path:
        sys.meta_path.insert(0, ExtrasFinder)
