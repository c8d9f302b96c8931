"""Names of leaves, and which leaves are refused; Checkpoints tests the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.training.items import named_leaves, nested


def test_leaves_are_named_by_the_path_of_their_keys():
    tree = {"softmax": {"kernel": np.zeros(2), "bias": np.ones(1)}, "with.dot": [np.int8(3)]}
    named = named_leaves(tree, "params")
    assert list(named) == ["softmax/bias", "softmax/kernel", "with.dot/0"]
    assert nested(named) == {"softmax": tree["softmax"], "with.dot": {"0": np.int8(3)}}
    assert list(named_leaves(np.zeros(2), "params")) == ["array"]


@pytest.mark.parametrize("bad", [1.5, jax.random.key(0)])
def test_a_leaf_that_is_no_plain_array_is_named(bad):
    with pytest.raises(TypeError, match=r"leaf state/rate of item 'loop'"):
        named_leaves({"state": {"rate": bad}}, "loop")


@pytest.mark.parametrize("twice", [{"a": {"b": jnp.ones(1)}, "a.b": jnp.ones(1)}, {"a/b": jnp.ones(1)}])
def test_two_leaves_of_one_name_are_refused(twice):
    with pytest.raises(ValueError, match=r"leaf a.b of item 'p'"):
        named_leaves(twice, "p")
