"""A model that computes in bfloat16 learns: it reverses words of a toy language after a few dozen steps."""

from functools import partial

import jax
import numpy as np

from seq2slim.data.batching import Batch
from seq2slim.models import PRESETS, Seq2Seq, init_params
from seq2slim.special_ids import BOS, EOS
from seq2slim.training.config import OptimizerConfig, TrainingConfig
from seq2slim.training.objectives import nll
from seq2slim.training.optimizers import make_optimizer
from seq2slim.training.state import new_state
from seq2slim.training.step import make_train_step

LETTERS, LENGTH, B, STEPS = 4, 3, 48, 100


def batches(seed):
    """Pairs of random letters and their reversal."""
    generator = np.random.default_rng(seed)
    edge = np.ones((B, 1), int)
    while True:
        words = generator.integers(EOS + 1, EOS + 1 + LETTERS, (B, LENGTH))
        reverse = words[:, ::-1]
        target_in, target_out = np.hstack([BOS * edge, reverse]), np.hstack([reverse, EOS * edge])
        yield Batch(words.astype(np.int32), target_in.astype(np.int32), target_out.astype(np.int32), np.arange(B))


def test_reversing_is_learnt():
    size = EOS + 1 + LETTERS
    model = Seq2Seq(PRESETS["tiny"](size, size, units=32, compute_dtype="bfloat16"))
    config = TrainingConfig(optimizer=OptimizerConfig("adam", clip_norm=1.0))
    optimizer = make_optimizer(config.optimizer, lambda step: 1e-2)
    step = make_train_step(nll(model.config, config), optimizer, config, lambda step: 1e-2)
    params = jax.jit(partial(init_params, model.config))(jax.random.key(0))
    state = new_state(params, optimizer, jax.random.key(1), averaged=False)
    losses = []
    for _, batch in zip(range(STEPS), batches(0)):
        state, metrics = step(state, batch)
        losses.append(float(metrics["nll"] / metrics["tokens"]))
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(state.params))
    # Chance, once the length is known: log(LETTERS) nats per letter, 0 for EOS.
    chance = np.log(LETTERS) * LENGTH / (LENGTH + 1)
    assert losses[0] > chance
    assert np.mean(losses[-10:]) < 0.2 * chance
