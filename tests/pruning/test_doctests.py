"""The examples in the docstrings of `pruning`: each is run, and every public function has one."""

import doctest
import importlib
import inspect
import pkgutil

import jax
import jax.numpy as jnp
import optax
import pytest

from seq2slim import pruning

GIVEN = {"jax": jax, "jnp": jnp, "optax": optax, "pruning": pruning}  # the imports that the package shows
MODULES = [
    pruning,
    *(importlib.import_module(f"seq2slim.pruning.{module.name}") for module in pkgutil.iter_modules(pruning.__path__)),
]
EXAMPLES = [
    test
    for module in MODULES
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, globs=dict(GIVEN))
    if test.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name.removeprefix("seq2slim."))
def test_example(example):
    report = []
    failed, attempted = doctest.DocTestRunner().run(example, out=report.append, clear_globs=False)
    assert attempted
    assert not failed, "".join(report)


def test_every_public_function_has_an_example():
    functions = {name for name in pruning.__all__ if inspect.isfunction(getattr(pruning, name))}
    assert functions <= {example.name.rpartition(".")[2] for example in EXAMPLES}
    assert "seq2slim.pruning" in {example.name for example in EXAMPLES}


def test_a_wrong_example_fails():
    wrong = doctest.DocTestParser().get_doctest(">>> len(pruning.SCHEMES) < 0\nTrue\n", GIVEN, "wrong", None, 0)
    assert doctest.DocTestRunner().run(wrong, out=lambda text: None).failed == 1
