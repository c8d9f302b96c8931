"""A scan with arbitrary steps whose weight gradients are one GEMM after the reverse scan.

Autodiff of `lax.scan` adds every step's weight gradient to an accumulator as large as the weights. When a step uses
its constants only in products `einsum(equation, a_t, constant)`, the gradient of the constant needs just a_t and the
cotangent of the product: both are stacked over time, and one einsum over all steps gives the gradient. Used where the
recurrence is more than an LSTM layer (input feeding).
"""

from functools import partial

import jax
import jax.numpy as jnp


def _over_time(equation):
    """The equation of d constant from all steps: "bh,bsh->bs" -> "tbh,tbs->bsh"."""
    operands, product = equation.split("->")
    a, constant = operands.split(",")
    return f"t{a},t{product}->{constant}"


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def deferred_scan(step, equations, constants, carry, xs):
    """`lax.scan` with the gradient of `constants` deferred to one einsum each.

    Args:
      step: (product, carry, x_t) -> (carry, y_t); `product(name, a_t)` is
        `einsum(equations[name], a_t, constants[name])`, called exactly once per name. The step uses its constants in no
        other way.
      equations: tuple of (name, equation) pairs, with operands "a,constant->product"; the letter t is reserved for
        time. Every letter of the constant occurs in one of the other two.
      constants: dict of float arrays, one per name.
      carry, xs: as in `lax.scan`.
    Returns: (carry, ys), as in `lax.scan`.
    """
    products = dict(equations)

    def body(carry, x_t):
        return step(lambda name, a_t: jnp.einsum(products[name], a_t, constants[name]), carry, x_t)

    return jax.lax.scan(body, carry, xs)


def _fwd(step, equations, constants, carry, xs):
    products = dict(equations)
    steps = jax.tree.leaves(xs)[0].shape[0]

    def body(carry, inputs):
        x_t, shift_t = inputs
        seen = {}

        def product(name, a_t):
            seen[name] = a_t
            return jnp.einsum(products[name], a_t, constants[name]) + (0 if shift_t is None else shift_t[name])

        carry, y_t = step(product, carry, x_t)
        return carry, (y_t, seen)

    # A zero shift is added to every product: its cotangent is the product's.
    shapes = jax.eval_shape(lambda c, x: body(c, (x, None))[1][1], carry, jax.tree.map(lambda x: x[0], xs))
    shift = {
        name: jnp.zeros(
            (steps, *jax.eval_shape(partial(jnp.einsum, products[name]), a, constants[name]).shape),
            constants[name].dtype,
        )
        for name, a in shapes.items()
    }

    def run(shift, carry, xs):
        carry, (ys, seen) = jax.lax.scan(body, carry, (xs, shift))
        return (carry, ys), seen

    out, pullback, seen = jax.vjp(run, shift, carry, xs, has_aux=True)
    return out, (pullback, seen)


def _bwd(step, equations, residuals, cotangents):
    pullback, seen = residuals
    d_shift, d_carry, d_xs = pullback(cotangents)
    d_constants = {name: jnp.einsum(_over_time(eq), seen[name], d_shift[name]) for name, eq in equations}
    return d_constants, d_carry, d_xs


deferred_scan.defvjp(_fwd, _bwd)
