"""A training stage small enough for the drills; it resumes in the same way as the real one.

python -m tests.support.toy RUNS [--steps 30] [--pause 0.01]
"""

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from seq2slim.errors import StopRequested
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import Stage
from seq2slim.training.checkpoints import Checkpoints
from seq2slim.training.loop import SAVES
from seq2slim.training.metrics import Metrics


@jax.jit
def train_step(state):
    """Momentum descent on random linear regressions, one drawn per step from the step's key."""
    key = jax.random.fold_in(jax.random.wrap_key_data(state["key"]), state["step"])
    inputs = jax.random.normal(key, (16, 32))
    targets = jnp.sin(inputs @ jnp.linspace(-1, 1, 32)[:, None])
    loss, gradient = jax.value_and_grad(lambda w: jnp.mean((inputs @ w["kernel"] - targets) ** 2))(state["params"])
    momentum = jax.tree.map(lambda m, g: 0.9 * m + g, state["momentum"], gradient)
    params = jax.tree.map(lambda w, m: w - 0.01 * m, state["params"], momentum)
    return {"params": params, "momentum": momentum, "key": state["key"], "step": state["step"] + 1}, loss


@dataclass(frozen=True)
class Toy(Stage):
    """`steps` of train_step; a checkpoint every `every` steps, the best by the loss of its step."""

    kind: ClassVar[str] = "toy"
    steps: int = 30
    every: int = 3
    seed: int = 0
    pause: float = field(default=0.0, metadata={"identity": False})

    def run(self, run_dir: Path, context) -> dict:
        zeros = {"kernel": jnp.zeros((32, 1))}
        key = jax.random.key_data(jax.random.key(self.seed))
        state = {"params": zeros, "momentum": zeros, "key": key, "step": jnp.int32(0)}
        position = {"best": np.float64(np.inf)}
        checkpoints = Checkpoints(run_dir / SAVES, report=context.say)
        restored = checkpoints.restore({**state, "position": position})
        if restored is not None:
            _, state = restored
            position = state.pop("position")
        with Metrics(run_dir, restored and restored[0], tensorboard=False) as metrics:
            for step in range(int(state["step"]) + 1, self.steps + 1):
                state, loss = train_step(state)
                metrics.write(step, loss=loss)
                time.sleep(self.pause)
                best = step % self.every == 0 and float(loss) < position["best"]
                if best:
                    position = {"best": np.float64(loss)}
                if step % self.every == 0 or context.stop_requested:
                    metrics.sync()
                    checkpoints.save(step, {**state, "position": position}, best=best)
                if context.stop_requested:
                    raise StopRequested(f"saved at step {step}")
                context.progress(step=step, total=self.steps, loss=float(loss))
        return {"best": float(position["best"])}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--pause", type=float, default=0.0)
    chosen = parser.parse_args()
    Runner(chosen.runs).run(Toy(steps=chosen.steps, pause=chosen.pause))
