"""The options of the study, the command that it prints, and its models."""

from dataclasses import replace

import pytest

from experiments.see2016 import study
from seq2slim import pruning
from seq2slim.data.corpora import CorpusConfig
from tests.support.toy_study import config


def test_ticket_and_sparse_differ_in_their_numbers_and_shuffled_in_its_masks():
    models = study.Models(config(), 2)
    sparse, ticket, shuffled = models.sparse(0.8), models.ticket(0.8), models.shuffled(0.8)
    assert ticket.seed == models.baseline.seed != sparse.seed == shuffled.seed
    assert sparse.masks == ticket.masks == models.pruned(0.8)
    assert shuffled.masks == replace(sparse.masks, shuffled=True)
    assert {s.training for s in (sparse, ticket, shuffled)} == {models.baseline.training}


@pytest.mark.parametrize(("field", "value"), [("seeds", ()), ("seeds", (1, 1)), ("curve", (0.9, 0.1)), ("once", (1,))])
def test_what_cannot_be_run_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        config(**{field: value})


def test_what_to_type_names_what_was_chosen_and_no_path(tmp_path):
    pair = (str(tmp_path / "a"), str(tmp_path / "b"))
    own = replace(study.start(["--recipe", "quick"]), corpus=CorpusConfig("text", pair, pair, pair), title="my text")
    own = replace(own, settings=replace(own.settings, max_length=7), seeds=(4, 5), once=(0.3, 0.5), paper="tiny")
    assert not any(option in own.command for option in ("--headline", "--small", "--curve"))
    own = replace(own, headline=own.corpus)
    for option in (
        "--recipe quick", "--seeds 4 5", "--corpus.train train.source train.target", "--settings.max-length 7",
        "--title 'my text'", "--once 0.3 0.5", "--headline.valid valid.source valid.target", "--paper tiny",
    ):  # fmt: skip
        assert option in own.command
    assert str(tmp_path) not in own.command


def test_schemes_are_those_of_pruning():
    assert tuple(pruning.SCHEMES)[:3] == study.PAPER_SCHEMES
    assert set(study.SHOWN_SCHEMES) <= set(pruning.SCHEMES)
