"""Translation: the scores of sacreBLEU, and the columns that published rows have."""

import pytest
import sacrebleu

from seq2slim.errors import UserError
from seq2slim.evaluation.bleu import paired_bootstrap
from seq2slim.tasks import task_named

TASK = task_named("translation")
REFERENCES = ["The cat sat on the mat.", "A dog ran home!", "It is what it is."]
HYPOTHESES = ["The cat sat on a mat.", "A dog ran home!", "It is what is."]


@pytest.mark.parametrize("tokenize", ["13a", "none"])
def test_scores_are_those_of_sacrebleu(tokenize):
    expected = sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES], tokenize=tokenize, force=True)
    found = TASK.scores(HYPOTHESES, REFERENCES, tokenize)
    assert found.values == {"bleu": expected.score, "length_ratio": expected.sys_len / expected.ref_len}
    assert f"tok:{tokenize}" in found.signature
    assert TASK.columns("greedy", found) == {
        "greedy_bleu": round(expected.score, 2),
        "greedy_length_ratio": round(expected.sys_len / expected.ref_len, 3),
        "signature": found.signature,
    }


def test_it_reads_lines_as_they_are_and_is_chosen_by_bleu():
    assert not TASK.rewrites
    assert (TASK.main, TASK.label("bleu")) == ("bleu", "BLEU")
    assert TASK.higher_is_better("valid_bleu")
    with pytest.raises(UserError, match="length_ratio"):  # explains a score, and is none
        TASK.higher_is_better("valid_length_ratio")


def test_systems_are_compared_by_sacrebleu_s_own_test():
    found = TASK.compare(HYPOTHESES, REFERENCES, REFERENCES, 20, "none")
    assert found == paired_bootstrap(HYPOTHESES, REFERENCES, REFERENCES, samples=20, tokenize="none")


def test_an_unknown_tokenizer_is_refused():
    TASK.check("none")
    with pytest.raises(UserError, match="got '13b'"):
        TASK.check("13b")
