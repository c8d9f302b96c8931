"""JAX's persistent compilation cache, so that the second command starts where the first one left off."""

import os
import sys
from pathlib import Path

_USUAL = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": 0.3,
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": -1,
}


def keep_compiled(folder: Path):
    """Keeps compiled programs in `folder`; what the environment already says is left as it is.

    By the environment, which jax reads when it is imported, so that this also works before that and costs no import.
    """
    for name, value in {"JAX_COMPILATION_CACHE_DIR": str(folder), **_USUAL}.items():
        if name not in os.environ:
            os.environ[name] = str(value)
            if jax := sys.modules.get("jax"):
                jax.config.update(name.lower(), value)
