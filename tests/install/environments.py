"""A wheel of the project, and virtual environments outside of it."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BUILT = ("pyproject.toml", "README.md", "LICENSE", "src")


def build_wheel(folder: Path) -> Path:
    """A wheel of the project, built from a copy of its sources in `folder`."""
    sources = folder / "sources"
    sources.mkdir()
    for name in _BUILT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, sources / name)
    pip(Path(sys.executable), "wheel", "--no-deps", "--wheel-dir", folder, sources)
    (wheel,) = folder.glob("*.whl")
    return wheel


def pip(python: Path, command: str, *arguments) -> str:
    """Runs pip. Returns: what it printed. Raises: AssertionError with it if pip fails."""
    words = [python, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(**more: str) -> dict[str, str]:
    """The variables of this process without those that would bring the sources, or settings of the tests, along."""
    left_out = ("PYTHONPATH", "SEQ2SLIM_RUNS", "JAX_DISABLE_MOST_OPTIMIZATIONS")
    return {name: value for name, value in os.environ.items() if name not in left_out} | more


class Environment:
    """A virtual environment with the given packages, and an empty working directory.

    Attributes:
      python: its interpreter.
      work: the directory in which `run` runs.
    """

    def __init__(self, folder: Path, *requirements: object):
        venv.create(folder / "venv", with_pip=True)
        self.python = folder / "venv" / "bin" / "python"
        self.work = folder / "work"
        self.work.mkdir()
        pip(self.python, "install", *requirements)

    def run(self, *words: object, stdin: str = "") -> subprocess.CompletedProcess:
        """Runs a program of the environment: the finished process, its output as text."""
        command = [str(self.python.parent / str(words[0])), *map(str, words[1:])]
        return subprocess.run(
            command, cwd=self.work, input=stdin, capture_output=True, text=True, check=False, env=environment()
        )

    def packages(self) -> set[str]:
        """The names of the installed packages, with _ for - and in lower case."""
        code = "import importlib.metadata as m; print(*{d.metadata['Name'] for d in m.distributions()}, sep='\\n')"
        return {name.replace("-", "_").lower() for name in self.run("python", "-c", code).stdout.split()}

    def megabytes(self) -> float:
        """The size of its packages without pip and setuptools, in 10^6 bytes."""
        (packages,) = self.python.parents[1].glob("lib/python*/site-packages")
        given = ("pip", "setuptools", "pkg_resources", "_distutils_hack")
        own = [path for path in packages.iterdir() if path.name.partition("-")[0] not in given]
        files = [file for path in own for file in ([path] if path.is_file() else path.rglob("*"))]
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
