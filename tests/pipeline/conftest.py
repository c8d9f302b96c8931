"""What the drills on the real training share: its caches, and one run of it that nobody interrupted."""

import os

import pytest

from seq2slim.runs.stage import identity
from tests.support.real_training import BASELINE, finished_run_dirs


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Of every run: one cache of compiled steps and one of the corpus, as on a person's machine."""
    shared = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQ2SLIM_RUNS", str(shared))
        identity(BASELINE)  # so that this process, too, has its corpus from there
        return {
            **os.environ,
            "JAX_COMPILATION_CACHE_DIR": str(shared / "xla"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }


@pytest.fixture(scope="session")
def uninterrupted(environment, tmp_path_factory):
    """The run directories of the trained and of the retrained model."""
    return finished_run_dirs(tmp_path_factory.mktemp("uninterrupted"), environment)
