"""BLEU against sacreBLEU's command line and by hand; the bootstrap on equal and on clearly different systems."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from seq2slim.evaluation.bleu import bleu, paired_bootstrap

REFERENCES = ["The cat sat on the mat.", "A dog, barking loudly, ran home!", "It is what it is.", "Two men talk."]
HYPOTHESES = ["the cat sat on a mat.", "A dog, barking, ran home!", "It is what it was.", "Two men talk loudly."]


@pytest.mark.parametrize(
    ("options", "arguments"),
    [({}, []), ({"lowercase": True}, ["-lc"]), ({"tokenize": "none"}, ["--tokenize", "none", "--force"])],
)
def test_equals_the_command_line(tmp_path, options, arguments):
    (tmp_path / "references").write_text("\n".join(REFERENCES) + "\n")
    (tmp_path / "hypotheses").write_text("\n".join(HYPOTHESES) + "\n")
    command = [sys.executable, "-m", "sacrebleu", "references", "-i", "hypotheses", "-m", "bleu", "-w", "6", *arguments]
    line = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True).stdout
    expected = json.loads(line)
    result = bleu(HYPOTHESES, REFERENCES, **options)
    assert result.score == pytest.approx(expected["score"], abs=1e-5)
    assert result.signature == expected["signature"]
    assert 0 < result.score < 100


def test_by_hand():
    # 5 tokens against 6: precisions 5/5, 4/4, 3/3, 2/2, brevity penalty exp(1 - 6/5).
    result = bleu(["a b c d e"], ["a b c d e f"], tokenize="none")
    assert result.precisions == (100.0, 100.0, 100.0, 100.0)
    assert result.brevity_penalty == pytest.approx(math.exp(-0.2))
    assert result.score == pytest.approx(100 * math.exp(-0.2))
    assert result.length_ratio == pytest.approx(5 / 6)


def test_tokenizer_and_case_matter_and_are_in_the_signature():
    plain = bleu(HYPOTHESES, REFERENCES)
    lower = bleu(HYPOTHESES, REFERENCES, lowercase=True)
    split = bleu(HYPOTHESES, REFERENCES, tokenize="none")
    assert len({plain.score, lower.score, split.score}) == 3
    assert "tok:13a" in plain.signature
    assert "case:mixed" in plain.signature
    assert "case:lc" in lower.signature
    assert "tok:none" in split.signature


def systems(sentences=120, seed=0):
    """References, and a system that replaces a given share of the words by wrong ones."""
    rng = np.random.default_rng(seed)
    references = [rng.choice(list("abcdefghij"), 12) for _ in range(sentences)]

    def system(share):
        lines = [np.where(rng.random(12) < share, "x", reference) for reference in references]
        return [" ".join(line) for line in lines]

    return [" ".join(reference) for reference in references], system


def test_bootstrap_tells_different_systems_from_equal_ones():
    references, system = systems()
    baseline, same_quality, worse = system(0.2), system(0.2), system(0.4)
    equal = paired_bootstrap(baseline, baseline, references, samples=200)
    assert equal.p_value == 1.0
    assert paired_bootstrap(baseline, same_quality, references, samples=200).p_value > 0.05
    different = paired_bootstrap(baseline, worse, references, samples=200)
    assert different.p_value < 0.01
    assert different.baseline.score == pytest.approx(bleu(baseline, references).score)
    assert different.system.score == pytest.approx(bleu(worse, references).score)
    for interval in (different.baseline, different.system):
        assert abs(interval.mean - interval.score) < interval.half_width
    assert different.system.mean + different.system.half_width < different.baseline.mean - different.baseline.half_width
    assert "bs:200" in different.signature
    assert "seed:12345" in different.signature
    assert different == paired_bootstrap(baseline, worse, references, samples=200)


def test_refuses_what_cannot_be_scored():
    with pytest.raises(ValueError, match="got 1 and 4"):
        bleu(["a"], REFERENCES)
    with pytest.raises(ValueError, match="got 1 and 4"):
        paired_bootstrap(REFERENCES, ["a"], REFERENCES)
    with pytest.raises(ValueError, match="empty test set"):
        bleu([], [])
    with pytest.raises(ValueError, match="got '13b'"):
        bleu(HYPOTHESES, REFERENCES, tokenize="13b")
