"""The section on storage says whether its aim is met."""

import pytest

from experiments.see2016 import sections


@pytest.mark.parametrize(
    ("ratio", "bleu", "over", "verdict"),
    [(14.1, -0.1, 0.01, "met"), (13.9, 0, 0.01, "missed"), (15, -0.11, 0.01, "missed"), (15, 0, 0.06, "missed")],
)
def test_an_aim_of_storage_is_met_or_missed(ratio, bleu, over, verdict):
    line = {"model": "retrained", "codec": "int8", "ratio": ratio, "bleu": bleu, "over_entropy": over}
    text = sections.storage.aims([line, line | {"model": "baseline"}, line | {"codec": "float16"}])
    assert text.count("\n") == 1
    assert text.endswith(f"is {verdict}.\n")
