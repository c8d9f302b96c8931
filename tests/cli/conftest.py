"""A project folder with small experiments as the working directory."""

import os
import sys

import pytest

from tests.support.toy_project import write_project


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in list(sys.modules):
        if name.split(".")[0] == "experiments":
            monkeypatch.delitem(sys.modules, name)
    for name in ("JAX_COMPILATION_CACHE_DIR", "SEQ2SLIM_RUNS", "SEQ2SLIM_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    for name in list(os.environ):
        if name.startswith("JAX_PERSISTENT_CACHE"):
            monkeypatch.delenv(name)
    yield tmp_path
    for name in list(sys.modules):
        if name.split(".")[0] == "experiments":
            del sys.modules[name]
    for name in list(os.environ):
        if name.startswith(("JAX_PERSISTENT_CACHE", "JAX_COMPILATION_CACHE")):
            del os.environ[name]
