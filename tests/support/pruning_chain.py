"""Models of the stages that prune, as trees of numpy arrays."""

import jax
import numpy as np

from seq2slim import pruning
from seq2slim.inference.model_files import load_model

SEED = 4


def arrays(tree):
    """Path -> numpy array."""
    return dict(zip(pruning.leaf_paths(tree), map(np.asarray, jax.tree.leaves(tree))))


def model(runner, stage):
    runner.run(stage)
    return load_model(runner.run_dir(stage))
