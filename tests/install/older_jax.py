"""What the tests use of newer versions of jax than the oldest one supported; a plugin of pytest (`-p`)."""

import jax
import jax.experimental
import jax.export  # newer versions import it with jax

if not hasattr(jax, "enable_x64"):
    jax.enable_x64 = jax.experimental.enable_x64
