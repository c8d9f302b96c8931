"""The schemes by name: the command line and the stages offer these."""

from typing import Literal

from seq2slim.pruning.schemes import class_blind, class_distribution, class_uniform, random

# Name -> scheme. All are called as scheme(params, sparsity, classes=, masks=, scores=, key=).
SCHEMES = {
    "class_blind": class_blind,
    "class_uniform": class_uniform,
    "class_distribution": class_distribution,
    "random": random,
}
SchemeName = Literal[*SCHEMES]  # the type of an option that names a scheme
