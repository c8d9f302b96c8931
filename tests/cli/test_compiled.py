"""The folder of compiled programs: the environment's choice first, and known to jax whether imported or not."""

import os
import sys
import types

import pytest

from seq2slim.cli.compiled import keep_compiled

NAMES = (
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
)


@pytest.fixture
def updates(monkeypatch):
    """What a stand-in for jax is asked to change; the environment is restored afterwards."""
    for name in NAMES:
        monkeypatch.setenv(name, "")  # recorded, to be restored
        monkeypatch.delenv(name)
    changed = {}
    jax = types.SimpleNamespace(config=types.SimpleNamespace(update=changed.__setitem__))
    monkeypatch.setitem(sys.modules, "jax", jax)
    return changed


def test_jax_and_later_processes_use_the_folder(updates, tmp_path):
    keep_compiled(tmp_path)
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == updates["jax_compilation_cache_dir"] == str(tmp_path)
    assert {name.lower() for name in NAMES} == set(updates)
    assert all(float(os.environ[name]) == updates[name.lower()] for name in NAMES[1:])


def test_the_environment_decides_first(updates, tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    keep_compiled(tmp_path)
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "/elsewhere"
    assert "jax_compilation_cache_dir" not in updates


def test_without_jax_only_the_environment_is_set(updates, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "jax")
    keep_compiled(tmp_path)
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path)
    assert updates == {}
