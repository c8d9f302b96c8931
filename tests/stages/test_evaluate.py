"""Only systems that were evaluated alike are compared, and the task checks the options of its scores."""

import pytest

from seq2slim.data.corpora import CorpusConfig
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.text import Text
from seq2slim.stages.train import Train
from seq2slim.tasks import TASKS
from tests.support.reversing import Reversing


@pytest.mark.parametrize("other", [{"split": "valid"}, {"tokenize": "none"}])
def test_only_systems_evaluated_alike_are_compared(other):
    model = Train(Text(CorpusConfig("reverse")))
    with pytest.raises(ValueError, match="on one split, with one tokenizer"):
        Compare(Evaluate(model), Evaluate(model, **other))


def test_models_of_two_tasks_are_not_compared_and_each_checks_its_tokenizer(monkeypatch):
    monkeypatch.setitem(TASKS, Reversing.name, Reversing())
    one, other = (Train(Text(CorpusConfig("reverse"), task=task)) for task in ("translation", "reversing"))
    with pytest.raises(ValueError, match="on one task; got translation and reversing"):
        Compare(Evaluate(one), Evaluate(other))
    assert ": perplexity, BLEU greedy and beam" in Evaluate(one).describe()
    assert ": perplexity, exact match greedy" in Evaluate(other).describe()
    assert Evaluate(one, tokenize="none")
    with pytest.raises(ValueError, match="reversing has no tokenizer"):
        Evaluate(other, tokenize="none")
