"""JAX's persistent compilation cache, so that a second command need not compile again."""

import os
import sys
from pathlib import Path

XLA_CACHE = "xla-cache"  # in the runs folder
_SETTINGS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": 0.3,
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": -1,
}


def keep_compiled(folder: Path):
    """Keeps compiled programs in `folder`, unless the environment sets another cache.

    Set through the environment, which jax reads when it is imported, so that jax need not be imported here.
    """
    for name, value in {"JAX_COMPILATION_CACHE_DIR": str(folder), **_SETTINGS}.items():
        if name not in os.environ:
            os.environ[name] = str(value)
            if jax := sys.modules.get("jax"):
                jax.config.update(name.lower(), value)
