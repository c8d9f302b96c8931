"""A project folder with experiments of a few lines, for the command line."""

from pathlib import Path

TOY = '''"""Toys can be counted.

More about it.
"""

import dataclasses

import numpy

from seq2slim.errors import UserError

TAKES_PUBLISHED_ROWS = True


@dataclasses.dataclass(frozen=True)
class Inner:
    """How.

    Attributes:
      learning_rate: at its highest.
    """

    learning_rate: float = 0.1


@dataclasses.dataclass(frozen=True)
class Config:
    """All.

    Attributes:
      inner: how.
      epochs: passes.
      mistake: what goes wrong.
    """

    inner: Inner = Inner()
    epochs: int = 3
    mistake: str = ""


def smoke(config):
    return dataclasses.replace(config, epochs=1)


def main(config, runner):
    print(config.inner.learning_rate, config.epochs, runner.options.smoke, runner.options.use_published, runner.runs)
    if config.mistake == "user":
        raise UserError("line 3 of x.txt is bad")
    if config.mistake == "bug":
        int("x")
    if config.mistake == "impatience":
        raise KeyboardInterrupt
    if config.mistake == "file":
        open("nowhere.txt")
'''


PLAIN = '''"""Computes every row."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Config:
    """All.

    Attributes:
      epochs: passes.
    """

    epochs: int = 3


def start(arguments):
    return Config(epochs=len(arguments))


def main(config, runner):
    print(config.epochs)
'''


PART = '''"""Shares the options of the toy."""

from experiments.toy import Config


def main(config, runner):
    print("part", config.epochs, runner.options.smoke, runner.options.use_published)
'''


def write_project(folder: Path):
    """Experiments that work, one with a syntax error, and a module that is none."""
    experiments = folder / "experiments"
    experiments.mkdir()
    (experiments / "__init__.py").touch()
    (experiments / "toy.py").write_text(TOY)
    (experiments / "plain.py").write_text(PLAIN)
    (experiments / "part.py").write_text(PART)
    (experiments / "broken.py").write_text("def main(:\n")
    (experiments / "bench.py").write_text('"""No experiment."""\n')
