"""The training state: parameters, optimiser state and key, carried from step to step."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from seq2slim import pruning


class TrainState(NamedTuple):
    """What a step reads and writes: a pytree of arrays, donated to the step and saved in each checkpoint.

    step: int32[], steps done. params: the trained parameters. optimizer: state of the optax transformation.
    average: exponential moving average of params, or None. key: uint32[2], key data of the run's PRNG key.
    carried: what the objective carries from step to step, leading axis B; () for translation.
    """

    step: jax.Array
    params: Any
    optimizer: Any
    average: Any
    key: jax.Array
    carried: Any = ()

    @property
    def result(self):
        """The parameters to evaluate and keep: the average if there is one."""
        return self.params if self.average is None else self.average


def new_state(
    params, optimizer: optax.GradientTransformation, key, averaged: bool, masks=None, carried=()
) -> TrainState:
    """The state before the first step. Arrays are copied, because a step donates the buffers of its state.

    Args:
      params: pytree of float arrays; with masks, the pruned weights are already zero.
      optimizer: optax transformation.
      key: jax.random.key of the run.
      averaged: whether to keep a moving average of the parameters, which starts at `params`.
      masks: of a pruned model, or None if dense.
      carried: what the objective carries into the first step.
    """
    if masks is not None:
        optimizer = pruning.keep_pruned(optimizer, masks)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=jax.tree.map(jnp.copy, params),
        optimizer=optimizer.init(params),
        average=jax.tree.map(jnp.copy, params) if averaged else None,
        key=jax.random.key_data(key),
        carried=jax.tree.map(jnp.array, carried),
    )
