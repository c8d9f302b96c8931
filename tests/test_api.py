"""Every package has what its __all__ names, and importing the library is light."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import seq2slim
from seq2slim.inference.translator import Translator, load

FOLDERS = {path.parent.name for path in Path(seq2slim.__file__).parent.glob("*/__init__.py")}
PACKAGES = sorted(FOLDERS - {"cli", "plots"})  # those two are for the command line and the experiments


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_what_it_names(package):
    module = importlib.import_module(f"seq2slim.{package}")
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError):
        _ = module.nothing_of_the_kind


def test_the_library_has_every_package():
    assert set(seq2slim.__all__) == {"load", "Translator", *PACKAGES}
    for package in PACKAGES:
        assert getattr(seq2slim, package).__name__ == f"seq2slim.{package}"


def test_the_package_itself_imports_nothing_and_pruning_little():
    code = """
import sys, seq2slim
assert not {"jax", "numpy"} & set(sys.modules)
from seq2slim import pruning
assert seq2slim.pruning.class_blind is pruning.class_blind
assert not {"flax", "orbax", "sentencepiece", "sacrebleu", "tensorboardX", "rich", "tyro"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_load_is_that_of_inference():
    assert seq2slim.load is load
    assert seq2slim.Translator is Translator
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = seq2slim.lod
