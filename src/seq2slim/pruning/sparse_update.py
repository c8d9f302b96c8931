"""`keep_pruned`: an optax transformation that keeps pruned weights at exactly 0.0 under momentum and weight decay."""

import jax
import jax.numpy as jnp
import optax

from seq2slim.pruning.masks import apply_masks


def keep_pruned(optimizer: optax.GradientTransformation, masks) -> optax.GradientTransformationExtraArgs:
    """Wraps `optimizer` so that pruned weights are exactly +0.0 after every update (See et al. 2016, sec. 3.4).

    Gradients are masked before `optimizer` sees them, so a clip inside it measures the norm of the surviving gradient:
    put `optax.clip_by_global_norm` inside. Updates are replaced again afterwards, as momentum or weight decay may
    have leaked: a pruned weight w gets the update -w, and w + (-w) is +0.0, also if w was not zero yet. (Without
    `params` in `update` it gets 0.0, and `apply_masks` must have zeroed the weights before.)

    The optimiser state does not depend on the masks' values. Masks may be traced: build the optimiser inside a jitted
    step to pass them as an argument, which also lets them change between steps without a new compilation.

    Args:
      optimizer: any optax transformation.
      masks: structure of params; bool arrays, True keeps; a scalar leaf is never pruned and passes through.
    Returns: a transformation with `init(params)` and `update(grads, state, params)`.
    Raises: `update` raises ValueError if a mask is not bool or has another shape than its gradient.

    >>> params = {"kernel": jnp.array([[0.0, -0.5], [2.0, 0.0]])}
    >>> masks = {"kernel": params["kernel"] != 0}
    >>> optimizer = pruning.keep_pruned(optax.sgd(1.0, momentum=0.5), masks)
    >>> state = optimizer.init(params)
    >>> gradients = {"kernel": jnp.ones((2, 2))}
    >>> updates, state = optimizer.update(gradients, state, params)
    >>> optax.apply_updates(params, updates)["kernel"].tolist()
    [[0.0, -1.5], [1.0, 0.0]]
    """
    prunable = jax.tree.map(lambda mask: jnp.ndim(mask) > 0, masks)
    prunable_masks = jax.tree.map(lambda yes, mask: mask if yes else optax.MaskedNode(), prunable, masks)

    def mask_gradients(gradients, params=None):
        del params
        return apply_masks(gradients, prunable_masks)

    def mask_updates(updates, params=None):
        if params is None:
            return mask_gradients(updates)
        return jax.tree.map(lambda mask, u, w: jnp.where(mask, u, -w), prunable_masks, updates, params)

    gradients_masked, updates_masked = (
        optax.masked(optax.stateless(function), prunable) for function in (mask_gradients, mask_updates)
    )
    return optax.chain(gradients_masked, optimizer, updates_masked)
