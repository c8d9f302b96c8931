"""Fixtures of several packages: a runs folder, a run of the main experiment on the toy, an uninterrupted training."""

import json
import os

import pytest

from seq2slim.files import locked
from tests.support.smoke import SmokeRun, Toy

# Compiling takes most of the time of the tests, and the programs are tiny. What runs in a process of its own (the smoke
# run, the command line) is compiled as users have it.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")


@pytest.fixture(autouse=True, scope="session")
def runs_folder_of_the_tests(tmp_path_factory):
    """Nothing is written to the runs/ of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQ2SLIM_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """Finished, once for all test processes; nobody changes its runs folder."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "smoke"
    shared.mkdir(exist_ok=True)
    with locked(shared / "lock"):
        if not (shared / "run.json").exists():
            run = SmokeRun(shared / "runs", -1, "").again()
            (shared / "run.json").write_text(json.dumps([run.code, run.output]))
    return SmokeRun(shared / "runs", *json.loads((shared / "run.json").read_text()))


@pytest.fixture(scope="session")
def toy(smoke, tmp_path_factory):
    """A copy of the runs of `smoke`, to which tests may add runs."""
    assert smoke.code == 0, smoke.output
    copied = smoke.copy(tmp_path_factory.mktemp("toy") / "runs")
    labels = ("baseline", "control", "pruned 80%", "retrained")
    return Toy(copied.runs, {label: copied.run_dir(label) for label in labels})


@pytest.fixture(scope="session")
def distilling(tmp_path_factory):
    """A runner, a text, and a hardly trained tiny model of it, to which tests may add runs."""
    from tests.support.distilling import trained_teacher

    return trained_teacher(tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Environment of the drills on real training: one cache of compiled steps and one of the corpus for all of them."""
    from seq2slim.runs.stage import identity
    from tests.support.real_training import BASELINE

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
    """The run directories of the trained and of the retrained model of one uninterrupted run."""
    from tests.support.real_training import finished_run_dirs

    return finished_run_dirs(tmp_path_factory.mktemp("uninterrupted"), environment)
