"""The dictionary against plain loops: which words are aligned, how often, and what is most probable."""

from collections import Counter
from functools import partial

import jax
import numpy as np
import pytest

from seq2slim.data.batching import BatchConfig, evaluation_batches
from seq2slim.data.tokenised import TokenisedSplit
from seq2slim.inference import dictionary
from seq2slim.inference.model_files import Model
from seq2slim.models import Seq2SeqConfig, init_params
from seq2slim.special_ids import EOS, UNK

WORDS = 9  # ids 4..8 are words


@pytest.mark.parametrize(("backwards", "feeding"), [(True, False), (False, True)])
def test_pairs_are_those_of_the_largest_attention(backwards, feeding):
    """Each sentence alone, unpadded, and its attention weights taken from the model step by step."""
    config = Seq2SeqConfig(WORDS, WORDS, layers=1, units=8, input_feeding=feeding, init_scale=1.0)
    model = Model(config, init_params(config, jax.random.key(1)), None, backwards)
    draw = np.random.default_rng(0)
    sources, targets = (
        [draw.choice([UNK, 4, 5, 6, 7, 8], size=draw.choice([2, 5])).tolist() for _ in range(6)] for _ in range(2)
    )
    start, step = (jax.jit(partial(model.module.apply, method=method)) for method in ("start", "step"))
    expected = Counter()
    for source, target in zip(sources, targets):
        ids = np.array([source[::-1] if backwards else source], np.int32)
        memory, carry = start({"params": model.params}, ids)
        for before, word in zip([2, *target], target):
            _, weights, carry = step({"params": model.params}, memory, carry, np.array([before], np.int32))
            attended = ids[0][int(np.asarray(weights)[0].argmax())]
            if word != UNK and attended != UNK:
                expected[int(attended), word] += 1
    split, found = TokenisedSplit.of(sources, targets), Counter()
    for batch in evaluation_batches(split, BatchConfig(4, backwards)):
        positions = dictionary.attended(model.module, model.params, batch.source, batch.target_in)
        found.update(map(tuple, dictionary.aligned_pairs(batch, positions).tolist()))
    assert found == expected
    assert EOS not in {target for _, target in found}


def test_counts_and_probabilities_are_those_of_a_loop():
    draw = np.random.default_rng(0)
    chunks = [draw.integers(4, WORDS, (size, 2)) for size in (0, 1, 40, 0, 60, 3)]
    counted = Counter(map(tuple, np.concatenate(chunks).tolist()))
    pairs, counts = dictionary.count_pairs(chunks, WORDS, together=10)
    assert dict(zip(map(tuple, pairs.tolist()), counts.tolist())) == counted
    found = dictionary.most_probable(pairs, counts, least=5)
    expected = []
    for source in range(4, WORDS):
        own = {target: count for (s, target), count in counted.items() if s == source}
        best = min(own, key=lambda target: (-own[target], target))
        if own[best] >= 5:
            expected.append((source, best, own[best], own[best] / sum(own.values())))
    assert found == expected
    assert len(found) > 0


def test_no_pairs_are_no_dictionary():
    assert dictionary.most_probable(*dictionary.count_pairs([], WORDS)) == []


def test_a_model_without_attention_has_none():
    config = Seq2SeqConfig(WORDS, WORDS, layers=1, units=4, attention="none")
    with pytest.raises(ValueError, match="without attention"):
        dictionary.learn_dictionary(Model(config, None, None, True), TokenisedSplit.of([]))


@pytest.mark.parametrize("damage", ["", "source\ttarget\n", "cut"])
def test_a_damaged_file_is_not_believed(tmp_path, damage):
    whole = "source\ttarget\tcount\tprobability\na\tb\t12\t0.5000\nc\td\t10\t1.0000\n"
    path = tmp_path / "dictionary.tsv"
    path.write_text(whole)
    assert dictionary._read(path) == {"a": "b", "c": "d"}
    path.write_text(whole[:-4] if damage == "cut" else damage)
    with pytest.raises(ValueError, match=r"its header is wrong, or its last line is incomplete|not have 4 columns"):
        dictionary._read(path)
