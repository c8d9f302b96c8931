"""The summary of figure 6 says whether each aim is met."""

import re

from experiments.see2016 import sections
from experiments.see2016.rows import Rows
from tests.support.made_up_rows import fig6


def test_an_aim_is_met_or_missed():
    text = sections.fig6_retraining.summary(Rows(fig6((29.6, 29.8, 29.4), at_90=(28.4, 28.6, 28.2))))
    assert re.findall(r"(\d+)%: .*?(-[\d.]+).*the aim, at least (-[\d.]+), is (\w+)", text) == [
        ("80", "-0.40", "-0.5", "met"), ("90", "-1.60", "-1.5", "missed"),
    ]  # fmt: skip
