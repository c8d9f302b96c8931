"""N-best lines are read back as they were written, whatever the text holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim.distillation.n_best import Hypothesis, check_of, from_line, read_n_best, to_line

FLOAT = st.floats(-1e6, 0, width=32)
TEXT = st.one_of(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])), st.just("a ||| b ||| "))


@settings(deadline=None)
@given(st.integers(0, 10**9), TEXT, FLOAT, FLOAT, st.integers(1, 99), st.booleans())
def test_there_and_back(line, text, log_prob, score, length, cut):
    hypothesis = Hypothesis(line, text, log_prob, score, length, cut)
    found, check = from_line(to_line(hypothesis, "its source"))
    exact = hypothesis._replace(log_prob=found.log_prob, score=found.score)
    assert found == exact
    assert (np.float32(found.log_prob), np.float32(found.score)) == (np.float32(log_prob), np.float32(score))
    assert check == check_of(found, "its source")


def test_the_check_knows_line_source_text_and_probability():
    one = Hypothesis(3, "a b", -1.5, -1.0, 3, False)
    others = [one._replace(line=4), one._replace(text="a c"), one._replace(log_prob=-1.25)]
    assert len({check_of(own, "s") for own in (one, *others)} | {check_of(one, "t")}) == 5


@pytest.mark.parametrize(
    "line",
    [
        "", "x", "1 ||| a", "1 ||| a ||| b ||| c", "-1 ||| a ||| log_prob= 0 length= 1 cut= 0 check= 00000000 ||| 0",
        "1 ||| a ||| log_prob= nan length= 1 cut= 0 check= 00000000 ||| 0",
        "1 ||| a ||| log_prob= 0 length= 1 cut= 0 check= 00000000 ||| inf",
        "1 ||| a ||| log_prob= 0 length= 1 cut= 2 check= 00000000 ||| 0",
    ],
)  # fmt: skip
def test_what_is_no_hypothesis_is_refused(line):
    with pytest.raises(ValueError, match=r"hypothesis|could not convert"):
        from_line(line)


def test_reading_groups_by_line_and_names_the_place_of_damage(tmp_path):
    own = [Hypothesis(2, "a", -1.0, -1.0, 2, False), Hypothesis(2, "b", -2.0, -2.0, 2, False)]
    own.append(Hypothesis(5, "", -0.5, -0.5, 1, True))
    path = tmp_path / "n_best.txt"
    path.write_text("".join(to_line(h, "s") + "\n" for h in own))
    assert list(read_n_best(path)) == [(2, own[:2]), (5, own[2:])]
    path.write_text(path.read_text() + "damage\n")
    with pytest.raises(ValueError, match="line 4"):
        list(read_n_best(path))
