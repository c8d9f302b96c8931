"""A run of the loop whose step is scripted: each batch holds the metrics of its step."""

import hashlib
import itertools
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim.training.config import TrainingConfig
from seq2slim.training.loop import Run
from seq2slim.training.state import TrainState


class Watcher:
    """Asks to stop after `stop_after` steps; keeps all lines and progress reported to it."""

    def __init__(self, stop_after=None):
        self.steps, self.stop_after = 0, stop_after
        self.said, self.seen = [], []

    @property
    def stop_requested(self):
        return self.stop_after is not None and self.steps >= self.stop_after

    def progress(self, **values):
        self.seen.append(values)

    def say(self, line):
        self.said.append(line)

    def counting(self, batches):
        """Yields `batches` and counts them."""
        for batch in batches:
            self.steps += 1
            yield batch


class Scripted(NamedTuple):
    """A batch that holds the metrics of its step."""

    ids: np.ndarray
    loss: np.float32
    gradient_norm: np.float32
    nll: np.float32
    tokens: np.float32


@partial(jax.jit, donate_argnums=0)
def scripted_step(state, batch, masks):
    """Counts the steps in its only weight, so that parameters show the step they are from."""
    del masks
    metrics = {name: getattr(batch, name) for name in ("loss", "nll", "tokens", "gradient_norm")}
    metrics["learning_rate"] = 0.5 / (1 + state.step)
    return state._replace(step=state.step + 1, params={"w": state.params["w"] + 1}), metrics


def scripted_state():
    return TrainState(jnp.int32(0), {"w": jnp.zeros((1, 2))}, (), None, jax.random.key_data(jax.random.key(0)))


def scripted_batches(start, losses=None, norms=None, end=None):
    """Batches from `start` on. The t-th has loss t, norm 2t (unless given), nll 3 (t + 1) and t + 1 tokens."""
    for t in itertools.count(start) if end is None else range(start, end):
        loss, norm = (losses or {}).get(t, t), (norms or {}).get(t, 2 * t)
        ids = np.array([10 * t, 10 * t + 1, -1])
        yield Scripted(ids, *map(np.float32, (loss, norm, 3 * (t + 1), t + 1)))


def scripted_run(values, steps_per_epoch=3, batches=scripted_batches, **config):
    """A run whose validations yield `values` in turn, and the list of (step, value) of its validations so far."""
    took, left = [], iter(values)
    config = TrainingConfig(**({"epochs": 20} | config))

    def evaluate(params):
        took.append((int(params["w"][0, 0]), next(left)))
        return {config.metric: took[-1][1]}

    return Run(scripted_step, batches, evaluate, steps_per_epoch, config), took


def digest(run_dir):
    return {
        path.relative_to(run_dir): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((run_dir / "saves").rglob("*"))
        if path.is_file()
    }
