"""Search configurations: invalid values are user errors that name the field and the value."""

import pytest

from seq2slim.decoding.length_limits import LIMITS
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.errors import UserError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 0}, "beam must be at least 1, got 0"),
        ({"batch_size": -2}, "batch_size must be at least 1, got -2"),
        ({"limits": "papers"}, r"limits must be one of \['paper', 'wide'\], got 'papers'"),
    ],
)
def test_invalid_values_are_named(options, message):
    with pytest.raises(UserError, match=message):
        SearchConfig(**options)


@pytest.mark.parametrize("limits", LIMITS)
def test_every_kind_of_limits_can_be_chosen(limits):
    assert SearchConfig(limits=limits).limits == limits


def test_by_default_length_does_not_enter_the_score():
    penalty = SearchConfig().length_penalty
    assert penalty.score(-3.5, 2) == penalty.score(-3.5, 50) == -3.5
