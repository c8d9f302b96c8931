"""The nearest name of a mistyped one, and where damaged files are."""

import pytest

from seq2slim.cli.program import COMMANDS
from seq2slim.errors import Damaged, UserError, nearest


@pytest.mark.parametrize("name", [name for name in COMMANDS if len(name) > 4])
def test_a_name_with_one_wrong_letter_is_found(name):
    """No other command of five letters or more is as near."""
    for place in range(len(name)):
        for letter in "xyz":
            mistyped = name[:place] + letter + name[place + 1 :]
            assert nearest(mistyped, COMMANDS) == f"did you mean {name!r}?", mistyped


def test_without_a_near_name_all_are_listed():
    assert nearest("zzz", iter(["prune", "run"])) == "there are: prune, run"


def test_damaged_files_are_a_user_error_that_names_the_run(tmp_path):
    with pytest.raises(UserError, match=r"^it has changed$") as caught:
        raise Damaged(tmp_path, "it has changed")
    assert caught.value.run_dir == tmp_path
    assert isinstance(caught.value, ValueError)
