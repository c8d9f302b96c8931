"""What a task inherits: lines as they are, its own bootstrap, columns, directions; and what overriding changes."""

import itertools

import jax
import numpy as np
import pytest

from seq2slim.data.vocabulary import VocabularyConfig, train_vocabularies
from seq2slim.decoding.hypotheses import BeamResult
from seq2slim.errors import UserError
from seq2slim.models import ModelOptions, init_params
from seq2slim.special_ids import EOS, PAD
from seq2slim.tasks import Scores, Task
from tests.support.reversing import Reversing


class Plain(Task):
    """Overrides nothing but what it must."""

    name = "plain"
    metrics = {"exact_match": True, "edits": False}

    def scores(self, hypotheses, references, tokenize="13a"):
        return Scores({"exact_match": float(np.mean([a == b for a, b in zip(hypotheses, references)])), "edits": 1.25})


class Numbered(Plain):
    """A pair depends on line number and split."""

    def pair(self, source, target, line, split):
        return f"{split} {line}", f"{source} {target}"


def test_a_plain_task_leaves_lines_alone():
    pairs = [("a", "b"), ("", " c ")]
    assert not Plain().rewrites
    assert list(Plain().pairs(*zip(*pairs), "train")) == pairs
    assert Plain().source(" A ") == " A "


def test_pairs_know_their_line_and_split():
    assert Numbered().rewrites
    found = list(Numbered().pairs(["a", "b"], ["c", "d"], "valid"))
    assert found == [("valid 0", "a c"), ("valid 1", "b d")]
    with pytest.raises(ValueError, match="shorter"):
        list(Numbered().pairs(["a", "b"], ["c"], "valid"))


def test_a_task_of_its_own_sources_rewrites_pairs_too():
    class Lower(Plain):
        def source(self, line):
            return line.lower()

    assert Lower().rewrites
    assert list(Lower().pairs(["A b"], ["C"], "test")) == [("a b", "C")]


def test_vocabularies_are_of_the_training_pairs():
    config, lines = VocabularyConfig("words", 20), (["a b", "c"], ["x", "y z"])
    found = Plain().vocabularies(*lines, config, print)
    assert [own.sha256 for own in found] == [own.sha256 for own in train_vocabularies(*lines, config)]


@pytest.mark.parametrize("end", [[EOS], []], ids=["with an end", "of a fixed length"])
def test_text_is_the_words_before_the_end(end):
    vocabulary, _ = train_vocabularies(["one two"], ["x"], VocabularyConfig("words", 20))
    ids = vocabulary.encode("two one") + end
    tokens = np.array([ids + [PAD] * (4 - len(ids))])
    score = np.zeros(1)
    result = BeamResult(tokens, score, score, np.array([len(ids)]), np.full(tokens.shape, -1))
    assert Plain().text(result, 0, 0, np.array([4, 5]), vocabulary) == "two one"


def test_without_a_constraint_any_word_may_follow():
    assert Plain().constraint(None, None) is None


@pytest.mark.parametrize(
    ("metric", "higher"), [("valid_loss", False), ("valid_exact_match", True), ("valid_edits", False)]
)
def test_validations_are_compared_in_the_direction_of_the_score(metric, higher):
    assert Plain().higher_is_better(metric) is higher


@pytest.mark.parametrize(
    ("metric", "hint"), [("valid_bleu", "there are|did you mean"), ("valid_exact", "'valid_exact_match'")]
)
def test_a_score_that_the_task_has_not_is_refused(metric, hint):
    with pytest.raises(UserError, match=hint):
        Plain().higher_is_better(metric)


def test_a_row_has_each_score_rounded_and_the_signature_if_there_is_one():
    found = Scores({"exact_match": 12.3456, "misplaced": 0.123456})
    assert Reversing().columns("beam", found) == {"beam_exact_match": 12.3, "beam_misplaced": 0.1235}
    assert Reversing().columns("beam", found._replace(signature="s"))["signature"] == "s"
    assert (Plain().main, Plain().label("exact_match")) == ("exact_match", "exact match")


def test_systems_are_compared_by_the_main_score():
    """Against all 3^3 resamples of three lines, weighed equally: the mean over many draws is near theirs."""
    references, one, other = list("abc"), list("abx"), list("xbx")
    found = Plain().compare(one, other, references, 4000, "13a")
    assert (found.baseline.score, found.system.score) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    resampled = [np.mean([one[i] == references[i] for i in draw]) for draw in itertools.product(range(3), repeat=3)]
    assert found.baseline.mean == pytest.approx(np.mean(resampled), abs=0.02)
    assert "bs:4000" in found.signature
    assert Reversing().compare(one, other, references, 5, "13a").signature.startswith("reversing 1|bs:5")


def test_weights_per_token_are_those_of_the_parameters():
    """Of all weights but the embeddings, which are looked up."""
    options = ModelOptions("tiny", units=4, layers=2)
    params = jax.eval_shape(lambda key: init_params(options.build(30, 30), key), jax.random.key(0))
    multiplied = sum(
        leaf.size for path, leaf in jax.tree.leaves_with_path(params) if "embedding" not in jax.tree_util.keystr(path)
    )
    source, target = Plain().weights_per_token(options, 30)
    assert source == sum(leaf.size for leaf in jax.tree.leaves(params["encoder"]))
    assert source + target == multiplied


def test_a_task_without_scores_says_so():
    with pytest.raises(NotImplementedError, match="Bare has no scores"):
        type("Bare", (Task,), {"name": "bare", "metrics": {}})().scores([], [])
