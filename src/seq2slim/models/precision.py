"""Mixed precision: parameters stay float32; products and activations are bfloat16 if the model is configured so.

Each factor and each product is rounded (8 bits of precision, relative error 2^-8). Gates and cell states, softmaxes,
logits and the loss stay float32. So does what the optimiser sees: a parameter's gradient is rounded once, as a product,
then summed and applied in float32.
"""

import jax
import jax.numpy as jnp


def narrow(x, compute_dtype):
    """`x` in the dtype of products: bfloat16, or unchanged for "float32". The gradient has the dtype of `x`."""
    return x.astype(jnp.bfloat16) if compute_dtype == "bfloat16" else x


def add_bias(z, bias):
    """z + bias, [..., n] + [n], in the dtype of z; the gradient of `bias` is summed in float32.

    In bfloat16 a sum over thousands of steps and sentences stops growing when a term is half of its last bit.
    """
    wide = jnp.promote_types(z.dtype, jnp.float32)
    return (z.astype(wide) + bias.astype(wide)).astype(z.dtype)


@jax.custom_vjp
def wide_product(x, kernel):
    """x @ kernel, summed and returned in float32: x bf16[..., H], kernel bf16[H, V] -> f32[..., V].

    The softmax takes differences of logits, which may be large, and bfloat16 would round each by up to 1/256 of itself.
    The cotangent, a difference of probabilities, is rounded to bfloat16, so the gradient's products are narrow too.
    """
    return jnp.matmul(x, kernel, preferred_element_type=jnp.float32)


def _wide_fwd(x, kernel):
    return wide_product(x, kernel), (x, kernel)


def _wide_bwd(residuals, cotangent):
    x, kernel = residuals
    cotangent = cotangent.astype(x.dtype)
    d_x = jnp.matmul(cotangent, kernel.T, preferred_element_type=jnp.float32)
    rows = (array.reshape(-1, array.shape[-1]) for array in (x, cotangent))
    d_kernel = jnp.einsum("nh,nv->hv", *rows, preferred_element_type=jnp.float32)
    return d_x.astype(x.dtype), d_kernel.astype(kernel.dtype)


wide_product.defvjp(_wide_fwd, _wide_bwd)
