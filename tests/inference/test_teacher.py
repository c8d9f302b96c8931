"""The n-best of a teacher, from results of a search that are written out here."""

from types import SimpleNamespace

import numpy as np
import pytest

from seq2slim.data.batching import Batch
from seq2slim.decoding.hypotheses import BeamResult
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.errors import UserError
from seq2slim.inference import teacher
from seq2slim.special_ids import EOS

LIMIT = 4  # tokens of the longest output for 2 words under the limits of the paper, EOS included


def test_places_without_a_hypothesis_are_left_out_and_cut_ones_are_marked(monkeypatch):
    """Two lines of 2 and 4 words, so the first is cut after LIMIT tokens; the last row only fills the batch."""
    source = np.array([[0, 0, 4, 5], [5, 6, 7, 8], [0, 0, 0, 0]], np.int32)
    length = np.array([[2, LIMIT, 0], [LIMIT, 0, 0], [0, 0, 0]])
    tokens = np.zeros((3, 3, LIMIT), np.int32)
    for place in np.ndindex(3, 3):
        if length[place]:
            tokens[place][: length[place]] = [7] * (length[place] - 1) + [EOS]
    log_prob = np.where(length > 0, [-1.0, -2.0, -3.0], -np.inf).astype(np.float32)
    result = BeamResult(tokens, log_prob, log_prob / 2, length, np.full(tokens.shape, -1))
    monkeypatch.setattr(teacher, "make_search", lambda models, search, constraint: lambda batch: result)
    vocabulary = SimpleNamespace(decode=lambda words: " ".join(map(str, words)))
    nothing = np.zeros((3, 0), np.int32)
    batch = Batch(source, nothing, nothing, np.array([8, 3, -1], np.int32))
    own = teacher.Teacher([SimpleNamespace(task="translation")], vocabulary, ["none"])
    found = list(teacher.decode_lines(own, [batch], SearchConfig(beam=3, limits="paper")))
    assert found == [
        [(8, "7", -1.0, -0.5, 2, False), (8, "7 7 7", -2.0, -1.0, LIMIT, True)],
        [(3, "7 7 7", -1.0, -0.5, LIMIT, False)],
    ]


def test_an_ensemble_has_learnt_one_task():
    models = [SimpleNamespace(task=name) for name in ("translation", "reversing")]
    with pytest.raises(UserError, match="one task, got reversing, translation"):
        teacher.make_teacher(models, (None, None), ["one", "other"])
    assert teacher.make_teacher(models[:1], (None, "words"), ["one"]).vocabulary == "words"
