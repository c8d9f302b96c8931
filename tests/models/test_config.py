"""Invalid model configurations are user errors that name the field and the value."""

import pytest

from seq2slim.models import Seq2SeqConfig


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"units": -4}, "units .* got -4"),
        ({"embedding": -1}, "embedding .* got -1"),
        ({"dropout": 1.0}, r"dropout .* \[0, 1\), got 1.0"),
        ({"output_dropout": -0.1}, "output_dropout .* got -0.1"),
        ({"init_scale": -0.1}, "init_scale .* got -0.1"),
        ({"attention": "dott"}, "attention .* got 'dott'"),
        ({"bidirectional": True, "units": 5}, "even, got 5"),
        ({"input_feeding": True, "attention": "none"}, "input_feeding"),
        ({"cell": "rnn"}, "cell must be one of 'lstm', 'gru'; got 'rnn'"),
        ({"compute_dtype": "float16"}, "compute_dtype .* got 'float16'"),
        ({"attention_span": "local"}, "attention_span .* got 'local'"),
        ({"attention_span": "local_p", "attention": "concat"}, "local_p' needs .* got 'concat'"),
        ({"attention_span": "local_p", "attention": "none"}, "local_p' needs .* got 'none'"),
        ({"attention_span": "local_p", "window": 0}, "window must be at least 1, got 0"),
        ({"window": 5}, "window=5 is of attention_span 'local_p'"),
    ],
)
def test_refuses(changes, match):
    with pytest.raises(ValueError, match=match):
        Seq2SeqConfig(10, 10, **changes)


@pytest.mark.parametrize("vocabularies", [(0, 10), (10, 0)])
def test_refuses_empty_vocabularies(vocabularies):
    with pytest.raises(ValueError, match="vocabulary must be at least 1, got 0"):
        Seq2SeqConfig(*vocabularies)


def test_embedding_defaults_to_units_and_configs_hash():
    assert Seq2SeqConfig(5, 5, units=12).embedding_size == 12
    assert Seq2SeqConfig(5, 5, units=12, embedding=7).embedding_size == 7
    assert hash(Seq2SeqConfig(5, 5)) == hash(Seq2SeqConfig(5, 5))
