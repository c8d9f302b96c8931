"""The estimate of a plan, against operations counted by hand."""

import pytest

from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.models import ModelOptions
from seq2slim.stages import costs
from seq2slim.stages.dry_run import DryRun, widest_shape
from seq2slim.stages.evaluate import Compare, Evaluate
from seq2slim.stages.perplexity import Perplexity
from seq2slim.stages.prune import Prune
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.tasks import TASKS
from seq2slim.training.config import TrainingConfig
from tests.support.reversing import Reversing

COUNTS = {
    "train": {"pairs": 100, "source_tokens": 500, "target_tokens": 700},
    "valid": {"pairs": 10, "source_tokens": 50, "target_tokens": 60},
    "test": {"pairs": 10, "source_tokens": 55, "target_tokens": 65},
}
TEXT = Text(CorpusConfig("reverse"), VocabularyConfig("words", 30))
BASELINE = Train(TEXT, ModelOptions("tiny", units=4, layers=2), TrainingConfig(epochs=3))
ENCODER, DECODER = 2 * 8 * 4 * 4, 2 * 8 * 4 * 4 + 2 * 4 * 4 + 4 * 30  # layers; attention and softmax too


def forward(split):
    return ENCODER * COUNTS[split]["source_tokens"] + DECODER * COUNTS[split]["target_tokens"]


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (BASELINE, 6 * 3 * forward("train")),
        (Retrain(Prune(BASELINE), TrainingConfig(epochs=0.5)), 6 * 0.5 * forward("train")),
        (Retrain(BASELINE, TrainingConfig(epochs=5, max_steps=10, batch_size=20)), 6 * 2 * forward("train")),
        (Perplexity(Prune(BASELINE)), 2 * forward("valid")),
        (
            Evaluate(Prune(BASELINE), "test", SearchConfig(beam=5), train_sample=50),
            2 * (forward("train") / 2 + forward("valid") + forward("test") + (1 + 5) * costs.SEARCHED * DECODER * 65),
        ),
        (
            DryRun(
                Text(TEXT.corpus, max_length=9),
                BASELINE.model,
                30,
                TrainingConfig(batch_size=5),
                TrainingConfig(batch_size=7),
                steps=2,
            ),
            6 * 2 * (5 + 7) * (10 * ENCODER + 10 * DECODER),  # 9 words, and 10 with EOS, on an even grid
        ),
        (Prune(BASELINE), 0),
        (Compare(Evaluate(BASELINE), Evaluate(BASELINE)), 0),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_operations(stage, expected):
    assert costs.operations(stage, COUNTS) == pytest.approx(expected)


def test_weights_per_token_are_those_of_the_task(monkeypatch):
    task = Reversing()
    monkeypatch.setitem(TASKS, task.name, task)
    monkeypatch.setattr(Reversing, "weights_per_token", lambda self, model, words: (words, 7))
    text = Text(TEXT.corpus, TEXT.vocabulary, task=task.name)
    trained = Train(text, BASELINE.model, TrainingConfig(epochs=1))
    assert costs.operations(trained, COUNTS) == 6 * (30 * 500 + 7 * 700)
    dry = DryRun(text, BASELINE.model, 11, TrainingConfig(batch_size=5), TrainingConfig(batch_size=7), steps=2)
    source, target = widest_shape(text.max_length)
    assert costs.operations(dry, COUNTS) == 6 * 2 * (5 + 7) * (11 * source + 7 * target)


class Finished:
    """A runner to which every stage is finished, after its operations at 1,000 a second, and overhead."""

    def is_finished(self, stage):
        return True

    def done(self, stage):
        resumed = isinstance(stage, Retrain)
        seconds = 1e6 if resumed else costs.OVERHEAD + costs.operations(stage, COUNTS) / 1e3
        return {"seconds": seconds, "resumed": resumed}

    def result(self, stage):
        return COUNTS


def test_the_rate_is_that_of_what_was_trained_in_one_go():
    assert costs.measured_rate(Finished(), [BASELINE, Retrain(BASELINE)]) == pytest.approx(1e3)
    assert costs.measured_rate(Finished(), [TEXT, Prune(BASELINE)]) is None


def test_the_estimate_is_time_at_the_rate_and_overhead():
    stages = [TEXT, BASELINE, Compare(Evaluate(BASELINE), Evaluate(BASELINE))]
    expected = 3 * costs.OVERHEAD + costs.operations(BASELINE, COUNTS) / 1e6
    assert costs.estimate(Finished(), stages, 1e6) == pytest.approx(expected)
