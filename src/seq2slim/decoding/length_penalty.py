"""Length penalties of the ranking score."""

import dataclasses
from typing import Literal, get_args

import jax
import jax.numpy as jnp

from seq2slim.errors import UserError

Kind = Literal["none", "gnmt", "power"]


@dataclasses.dataclass(frozen=True)
class LengthPenalty:
    """Ranking score = log-probability / lp(length), length in tokens with EOS.

    none: lp = 1 (Luong et al. 2015, and every preset named after a paper).
    gnmt: lp = ((5 + length) / 6) ** alpha (Wu et al. 2016, eq. 14).
    power: lp = length ** alpha; alpha = 1 ranks by mean log-probability per token.
    """

    kind: Kind = "none"
    alpha: float = 1.0

    def __post_init__(self):
        if self.kind not in get_args(Kind):
            raise UserError(f"length penalty kind must be one of {get_args(Kind)}, got {self.kind!r}")
        if not self.alpha >= 0.0:
            raise UserError(f"length penalty alpha must be at least 0, got {self.alpha}")

    def score(self, log_prob: jax.Array, length: jax.Array) -> jax.Array:
        """Ranking score f32 of `log_prob` f32 (nats) at `length` int32 (tokens, at least 1), broadcast together."""
        length = jnp.asarray(length, jnp.float32)
        if self.kind == "gnmt":
            return log_prob / ((5.0 + length) / 6.0) ** self.alpha
        if self.kind == "power":
            return log_prob / length**self.alpha
        return log_prob
