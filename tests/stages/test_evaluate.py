"""Only systems that were evaluated alike are compared."""

import pytest

from seq2slim.data.corpora import CorpusConfig
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.text import Text
from seq2slim.stages.train import Train


@pytest.mark.parametrize("other", [{"split": "valid"}, {"tokenize": "none"}])
def test_only_systems_evaluated_alike_are_compared(other):
    model = Train(Text(CorpusConfig("reverse")))
    with pytest.raises(ValueError, match="on one split, with one tokenizer"):
        Compare(Evaluate(model), Evaluate(model, **other))
