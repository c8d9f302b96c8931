"""At the oldest versions that pyproject.toml allows, in a new environment, pruning and models pass their tests."""

import re
import subprocess
import sys
import tomllib

import pytest

from tests.install.environments import ROOT, Environment, build_wheel, environment

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
AT_THEIR_OLDEST = ("jax", "flax", "optax", "orbax-checkpoint", "numpy")


def oldest() -> dict[str, str]:
    """Package -> its lower bound."""
    bounds = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["nmt"]]
    found = dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", bound).groups() for bound in bounds)
    return {name: found[name] for name in AT_THEIR_OLDEST}


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="numpy 1.26.0 is for Python 3.11, the oldest we support")
def test_pruning_and_models_at_the_oldest_versions(tmp_path):
    (tmp_path / "wheel").mkdir()
    wheel = build_wheel(tmp_path / "wheel")
    pins = {**oldest(), "jaxlib": oldest()["jax"]}
    made = Environment(
        tmp_path,
        f"seq2slim[nmt] @ {wheel.as_uri()}",
        *(f"{name}=={version}" for name, version in pins.items()),
        *("pytest", "hypothesis", "equinox"),
    )
    code = f"import importlib.metadata as m; print(*(m.version(name) for name in {list(pins)}))"
    versions = made.run("python", "-c", code).stdout.split()
    for (name, wanted), got in zip(pins.items(), versions, strict=True):
        assert [*map(int, got.split("."))] == [*map(int, wanted.split(".")), 0, 0][: got.count(".") + 1], name
    command = [made.python, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.install.older_jax"]
    done = subprocess.run(
        [*map(str, command), "tests/pruning", "tests/models"],
        cwd=ROOT, env=environment(PYTHONDONTWRITEBYTECODE="1"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(f"\n{pins}\n{done.stdout[-200:]}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 300
