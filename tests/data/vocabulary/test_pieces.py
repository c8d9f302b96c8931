"""SentencePiece vocabularies: foreign models, rare characters, and thinned training text."""

import io
import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer

from seq2slim.data.vocabulary import Vocabulary, VocabularyConfig
from seq2slim.data.vocabulary.pieces import thin
from seq2slim.special_ids import UNK
from tests.support.sentences import LINES


def test_a_model_of_another_make_is_refused(tmp_path):
    """Well sealed, and either no SentencePiece model at all, or one with its own special pieces."""
    model = io.BytesIO()
    SentencePieceTrainer.train(sentence_iterator=iter(LINES), model_writer=model, vocab_size=60, hard_vocab_limit=False)
    for payload, complaint in ((b"noise", "cannot read its model"), (model.getvalue(), "are not <pad>, <unk>")):
        header = {
            "format": "seq2slim vocabulary 1",
            "kind": "unigram",
            "sha256": sha256(b"unigram\n" + payload).hexdigest(),
        }
        (tmp_path / "v").write_bytes(json.dumps(header).encode() + b"\n" + payload)
        with pytest.raises(ValueError, match=complaint):
            Vocabulary.load(tmp_path / "v")


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_every_sign_of_an_alphabet_has_an_id_but_not_of_a_large_script(kind):
    rare = Vocabulary.train([*LINES * 30, "a § once"], VocabularyConfig(kind, 80))
    assert UNK not in rare.encode("a § once")
    # 600 ids cannot hold 2,000 signs; most of them stand in one line only.
    signs = [chr(0x4E00 + index) for index in range(2000)]
    lines = [" ".join(signs[:250])] * 1000 + [" ".join(signs)]
    large = Vocabulary.train(lines, VocabularyConfig(kind, 600))
    assert len(large) <= 600
    assert UNK not in large.encode(" ".join(signs[:250]))


@given(st.integers(0, 500), st.integers(1, 40))
def test_thinned_evenly(count, most):
    kept = thin((str(index) for index in range(count)), most)
    stride = next(2**power for power in range(20) if -(-count // 2**power) <= most)
    assert kept == [str(index) for index in range(0, count, stride)]
