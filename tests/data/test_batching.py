"""Plans and batches against plain loops."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2slim.data.batching import (
    Batch,
    BatchConfig,
    evaluation_batches,
    make_batch,
    plan_epoch,
    plan_evaluation,
    steps_per_epoch,
    train_batches,
)
from seq2slim.data.shapes import ladder
from seq2slim.data.tokenised import TokenisedSide, TokenisedSplit
from seq2slim.special_ids import BOS, EOS, PAD


def corpora_of(shortest_source):
    pairs = st.lists(st.tuples(st.integers(shortest_source, 90), st.integers(0, 90)), max_size=60)
    return pairs.map(lambda pairs: np.array(pairs, np.int64).reshape(-1, 2))


lengths_of_corpora, lengths_with_empty_sources = corpora_of(1), corpora_of(0)
configs = st.builds(BatchConfig, st.integers(1, 9), st.booleans(), st.integers(1, 5))


def split_of(lengths, seed=0):
    """A split with random ids >= 4 of the given lengths; its line numbers are not its row numbers."""
    generator = np.random.default_rng(seed)
    sides = []
    for column in np.asarray(lengths).reshape(-1, 2).T:
        offsets = np.concatenate([[0], np.cumsum(column)]).astype(np.int64)
        sides.append(TokenisedSide(generator.integers(4, 999, offsets[-1]).astype(np.int32), offsets))
    return TokenisedSplit(*sides, np.arange(len(lengths), dtype=np.int64) * 3 + 1, {})


def padded_by_hand(split, rows, shape, config):
    """`make_batch` as loops over lists."""
    source_width, target_width = shape
    batch = ([], [], [], [])
    for place in range(config.batch_size):
        filling = place >= len(rows)
        source = [] if filling else split.source[rows[place]].tolist()
        target = [] if filling else split.target[rows[place]].tolist()
        padding = [PAD] * (source_width - len(source))
        batch[0].append(padding + source[::-1] if config.reverse_source else source + padding)
        for column, words in ((1, [BOS, *target]), (2, [*target, EOS])):
            words = [] if filling else words
            batch[column].append(words + [PAD] * (target_width - len(words)))
        batch[3].append(-1 if filling else int(split.lines[rows[place]]))
    return batch


@given(lengths_of_corpora, configs, st.integers(0, 3))
def test_epoch_has_every_pair_once_in_fitting_shapes(lengths, config, epoch):
    plan = plan_epoch(lengths, config, seed=7, epoch=epoch)
    assert len(plan) == steps_per_epoch(len(lengths), config) == -(-len(lengths) // config.batch_size)
    assert sorted(row for _, rows in plan for row in rows) == list(range(len(lengths)))
    assert sum(len(rows) < config.batch_size for _, rows in plan) <= 1
    assert len({shape for shape, _ in plan}) <= config.shapes
    for (source_width, target_width), rows in plan:
        assert (lengths[rows] <= [source_width, target_width - 1]).all()


@given(lengths_of_corpora, configs)
def test_plan_is_a_pure_function(lengths, config):
    first, again = (plan_epoch(lengths.copy(), config, 3, 1) for _ in range(2))
    assert [(shape, rows.tolist()) for shape, rows in first] == [(shape, rows.tolist()) for shape, rows in again]


def test_epochs_and_seeds_differ():
    lengths = np.random.default_rng(0).integers(1, 20, (200, 2))
    orders = {
        tuple(row for _, rows in plan_epoch(lengths, BatchConfig(8), seed, epoch) for row in rows)
        for seed, epoch in [(0, 0), (0, 1), (1, 0), (1, 1)]
    }
    assert len(orders) == 4


@given(lengths_with_empty_sources, configs)
def test_evaluation_pads_each_sentence_by_its_own_length(lengths, config):
    plan = plan_evaluation(lengths, config)
    order = [row for _, rows in plan for row in rows]
    assert sorted(order) == list(range(len(lengths)))
    widths = [max(lengths[row][0], lengths[row][1] + 1) for row in order]
    assert widths == sorted(widths)
    for shape, rows in plan:
        for row in rows:
            ((alone, _),) = plan_evaluation(lengths[row : row + 1], config)
            assert shape == alone
    for (source_width, target_width), rows in plan_evaluation(lengths, config, targets=False):
        assert target_width == 0
        for row in rows:
            assert source_width == ladder(lengths[row][0])[-1]


@given(lengths_of_corpora, configs)
@settings(max_examples=40)
def test_batches_are_those_made_by_hand(lengths, config):
    split = split_of(lengths)
    for shape, rows in plan_epoch(lengths, config, 0, 0):
        batch = make_batch(split, rows, shape, config)
        for array, wanted in zip(batch, padded_by_hand(split, rows, shape, config)):
            assert array.dtype == np.int32
            np.testing.assert_array_equal(array, np.array(wanted))


@pytest.mark.parametrize("lengths", [[[0, 2], [5, 0], [0, 0]], [[0, 1]]])
def test_an_empty_source_is_a_row_of_padding(lengths):
    split, config = split_of(lengths), BatchConfig(2)
    for targets in (True, False):
        plan = plan_evaluation(lengths, config, targets)
        assert min(width for (width, _), _ in plan) == 4  # the first rung
        for shape, rows in plan:
            batch, wanted = make_batch(split, rows, shape, config), padded_by_hand(split, rows, shape, config)
            for name in Batch._fields if targets else ("source", "ids"):
                np.testing.assert_array_equal(getattr(batch, name), np.array(wanted[Batch._fields.index(name)]))


def test_a_reversed_batch_by_hand():
    offsets = np.array([0, 2, 3])
    side = TokenisedSide(np.array([5, 6, 7], np.int32), offsets)
    split = TokenisedSplit(side, side, np.array([10, 20]), {})
    batch = make_batch(split, np.array([1, 0]), (3, 4), BatchConfig(3, reverse_source=True))
    assert batch.source.tolist() == [[0, 0, 7], [0, 6, 5], [0, 0, 0]]
    assert batch.target_in.tolist() == [[2, 7, 0, 0], [2, 5, 6, 0], [0, 0, 0, 0]]
    assert batch.target_out.tolist() == [[7, 3, 0, 0], [5, 6, 3, 0], [0, 0, 0, 0]]
    assert batch.ids.tolist() == [20, 10, -1]
    forward = make_batch(split, np.array([1, 0]), (3, 0), BatchConfig(3, reverse_source=False))
    assert forward.source.tolist() == [[7, 0, 0], [5, 6, 0], [0, 0, 0]]
    assert forward.target_in.shape == forward.target_out.shape == (3, 0)


def test_what_does_not_fit_is_refused():
    split = split_of([[5, 5], [2, 2]])
    with pytest.raises(ValueError, match="5 tokens does not fit 4 columns"):
        make_batch(split, np.array([0]), (4, 9), BatchConfig(2))
    with pytest.raises(ValueError, match="5 tokens does not fit 4 columns"):
        make_batch(split, np.array([0]), (5, 5), BatchConfig(2))
    with pytest.raises(ValueError, match="2 rows for a batch of 1"):
        make_batch(split, np.array([0, 1]), (5, 6), BatchConfig(1))
    with pytest.raises(ValueError, match="batch_size=0"):
        BatchConfig(0)


@given(st.integers(0, 40))
@settings(max_examples=15)
def test_training_resumes_at_any_step(step):
    split = split_of(np.random.default_rng(0).integers(1, 12, (50, 2)))
    config = BatchConfig(8, shapes=3)
    whole = itertools.islice(train_batches(split, config, seed=5), step, step + 3)
    for batch, wanted in zip(train_batches(split, config, seed=5, step=step), whole):
        for array, other in zip(batch, wanted):
            np.testing.assert_array_equal(array, other)


def test_evaluation_batches_cover_the_split():
    split = split_of(np.random.default_rng(0).integers(1, 30, (70, 2)))
    ids = np.concatenate([batch.ids for batch in evaluation_batches(split, BatchConfig(16))])
    assert sorted(ids[ids >= 0]) == split.lines.tolist()
    some = np.array([3, 60, 12])
    ids = np.concatenate([batch.ids for batch in evaluation_batches(split, BatchConfig(16), rows=some)])
    assert sorted(ids[ids >= 0]) == sorted(split.lines[some])


def test_an_empty_split():
    split = split_of(np.zeros((0, 2), int))
    assert list(evaluation_batches(split, BatchConfig())) == []
    with pytest.raises(ValueError, match="nothing to train on"):
        next(train_batches(split, BatchConfig(), 0))


@pytest.mark.slow  # not for its length: it reads the clock, and the machine of the quick tests may be busy
def test_large_corpora_are_planned_and_batched_fast():
    """Generous bounds: the machine is shared. Measured: 0.1 s for 500,000 pairs, 0.1 ms a batch."""
    generator = np.random.default_rng(0)
    lengths = np.minimum(generator.lognormal(3.2, 0.6, (500_000, 2)).astype(int) + 1, 100)
    start = time.perf_counter()
    plan = plan_epoch(lengths, BatchConfig(64), 0, 0)
    assert time.perf_counter() - start < 3
    split = split_of(lengths)
    start = time.perf_counter()
    for shape, rows in plan[:200]:
        make_batch(split, rows, shape, BatchConfig(64))
    assert (time.perf_counter() - start) / 200 < 0.01
