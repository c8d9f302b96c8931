"""The loop: what it returns, saves and refuses; with a scripted step where the arithmetic does not matter."""

import dataclasses
import itertools
import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seq2slim.data.batching import Batch
from seq2slim.errors import StopRequested
from seq2slim.evaluation.perplexity import eval_step
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params
from seq2slim.training.checkpoints import CheckpointError, Checkpoints
from seq2slim.training.config import OptimizerConfig, TrainingConfig
from seq2slim.training.loop import Progress, Run, fit
from seq2slim.training.metrics import read_metrics
from seq2slim.training.objective import Loss, Objective
from seq2slim.training.objectives import nll
from seq2slim.training.step import make_training
from tests.support.scripted_training import Watcher, scripted_batches, scripted_run, scripted_state


def kept_at(*arguments):
    """The step of the parameters that `fit` returns."""
    return fit(*arguments).params["w"][0, 0]


MASKS = {"w": jnp.array([[True, False]])}


class TestArithmetic:
    @pytest.mark.parametrize(
        ("config", "steps_per_epoch", "expected"),
        [
            ({"epochs": 12}, 7, 84),
            ({"epochs": 2.5}, 10, 25),
            ({"epochs": 0.01}, 10, 1),
            ({"epochs": 12, "max_steps": 50}, 7, 50),
            ({"epochs": 2, "max_steps": 50}, 7, 14),
        ],
    )
    def test_total_steps(self, config, steps_per_epoch, expected):
        assert Run(None, None, None, steps_per_epoch, TrainingConfig(**config)).total_steps == expected

    @pytest.mark.parametrize(
        ("evaluations", "steps_per_epoch", "epochs", "expected"),
        [
            (1, 7, 3, [7, 14, 21]),
            (2, 10, 2, [5, 10, 15, 20]),
            (2, 7, 2, [4, 7, 11, 14]),  # half an epoch is 3.5 steps: the first whole step after it
            (3, 7, 1, [3, 5, 7]),
            (4, 3, 2, [1, 2, 3, 4, 5, 6]),  # at most one per step
            (1, 10, 2.5, [10, 20, 25]),  # and one at the end
        ],
    )
    def test_validations_are_even_fractions_of_each_epoch(self, evaluations, steps_per_epoch, epochs, expected):
        config = TrainingConfig(epochs=epochs, evaluations_per_epoch=evaluations)
        run = Run(None, None, None, steps_per_epoch, config)
        assert [step for step in range(1, run.total_steps + 1) if run.validates(step)] == expected

    def test_validations_come_at_the_start_evenly_and_at_the_end(self, tmp_path):
        run, took = scripted_run(itertools.count(), max_steps=8)
        assert fit(run, scripted_state(), tmp_path, Watcher()).steps == 8
        assert [step for step, _ in took] == [0, 3, 6, 8]


class TestEarlyStopping:
    def test_keeps_the_best_and_stops_after_patience(self, tmp_path):
        run, took = scripted_run([5, 4, 3, 3.5, 3.0, 1], patience=2)
        params, _, steps = fit(run, scripted_state(), tmp_path, Watcher())
        # Equal is not better: 3.5 and 3.0 are two worse ones in a row, and the 1 is never seen.
        assert [value for _, value in took] == [5, 4, 3, 3.5, 3.0]
        assert params["w"][0, 0] == 6
        assert steps == 12

    def test_a_better_one_resets_patience(self, tmp_path):
        run, took = scripted_run([5, 6, 4, 6, 3, 6, 7], patience=2)
        assert kept_at(run, scripted_state(), tmp_path, Watcher()) == 12
        assert len(took) == 7

    def test_a_score_may_be_better_when_higher(self, tmp_path):
        run, _ = scripted_run([1, 2, 9, 3, 4], patience=2, metric="valid_bleu")
        run = dataclasses.replace(run, higher_is_better=True)
        assert kept_at(run, scripted_state(), tmp_path, Watcher()) == 6

    def test_without_patience_goes_to_the_end(self, tmp_path):
        run, took = scripted_run([1, 2, 3, 4, 5], max_steps=12)
        assert kept_at(run, scripted_state(), tmp_path, Watcher()) == 0
        assert [step for step, _ in took] == [0, 3, 6, 9, 12]

    def test_the_last_are_kept_if_asked(self, tmp_path):
        run, _ = scripted_run([1, 2, 3, 4, 5], max_steps=12, keep="last")
        assert kept_at(run, scripted_state(), tmp_path, Watcher()) == 12

    def test_progress_is_saved_whole(self):
        progress = Progress()
        assert progress.update(7.0, 3, False)
        assert not progress.update(8.0, 6, False)
        assert Progress.of(progress.arrays()) == Progress(7.0, 3, 1) == progress

    def test_patience_survives_an_interruption(self, tmp_path):
        values = [5, 4, 4.5, 4.6, 1]
        watcher = Watcher(stop_after=7)
        run, _ = scripted_run(values, batches=lambda start: watcher.counting(scripted_batches(start)), patience=2)
        with pytest.raises(StopRequested, match="step 7 of 60"):
            fit(run, scripted_state(), tmp_path, watcher)
        run, took = scripted_run(values[3:], patience=2)
        assert kept_at(run, scripted_state(), tmp_path, Watcher()) == 3
        assert took == [(9, 4.6)]
        # Finished: another call neither steps nor validates.
        run = dataclasses.replace(run, step=None, batches=None, evaluate=None)
        assert kept_at(run, scripted_state(), tmp_path, Watcher()) == 3


def test_a_stop_request_is_served_when_every_step_validates(tmp_path):
    watcher = Watcher(stop_after=2)
    run, took = scripted_run(itertools.count(), 1, lambda start: watcher.counting(scripted_batches(start)))
    with pytest.raises(StopRequested, match="step 2 of 20 is saved"):
        fit(run, scripted_state(), tmp_path, watcher)
    assert [step for step, _ in took] == [0, 1, 2]
    assert Checkpoints(tmp_path / "saves").latest() == 2


def test_batches_that_end_too_early_are_an_error(tmp_path):
    run, _ = scripted_run(itertools.count(), batches=partial(scripted_batches, end=4))
    with pytest.raises(ValueError, match="ended before the last step"):
        fit(run, scripted_state(), tmp_path, Watcher())


def test_a_leak_past_the_masks_is_never_saved(tmp_path):
    """The scripted step moves every weight."""
    run, _ = scripted_run(itertools.count())
    with pytest.raises(AssertionError, match="1 pruned weights are not zero"):
        fit(dataclasses.replace(run, masks=MASKS), scripted_state(), tmp_path, Watcher())
    assert Checkpoints(tmp_path / "saves").steps() == [0]


def test_a_leak_of_the_average_is_never_saved(tmp_path):
    """The average is the result; here it starts from parameters that are not pruned."""
    run, _ = scripted_run(itertools.count())
    run = dataclasses.replace(run, masks=MASKS, evaluate=lambda params: {"valid_loss": 1.0})
    with pytest.raises(AssertionError, match="1 pruned weights are not zero"):
        fit(run, scripted_state()._replace(average={"w": jnp.ones((1, 2))}), tmp_path, Watcher())
    assert Checkpoints(tmp_path / "saves").steps() == []


def test_a_damaged_best_checkpoint_is_an_error(tmp_path):
    run, _ = scripted_run([1, 2, 3], max_steps=6)
    fit(run, scripted_state(), tmp_path, Watcher())
    (manifest,) = tmp_path.glob("saves/*-best/manifest.json")
    manifest.write_text(manifest.read_text()[:-9])
    with pytest.raises(CheckpointError, match=r"the best checkpoint in .* is damaged"):
        fit(run, scripted_state(), tmp_path, Watcher())


class Numbers(NamedTuple):
    """A batch of numbers."""

    ids: np.ndarray  # f32[B]


CONFIG = TrainingConfig(epochs=3, optimizer=OptimizerConfig("adam", 0.02), average_decay=0.9)


STEPS_PER_EPOCH = 100  # 300 steps and, with the one at the start, 4 validations


@pytest.fixture(scope="module")
def memorising():
    """A tiny model with dropout, two batches to memorise: (watcher -> run, () -> state)."""
    config = Seq2SeqConfig(20, 20, layers=1, units=32, dropout=0.05)
    model, training = Seq2Seq(config), make_training(nll(config, CONFIG), CONFIG, STEPS_PER_EPOCH)
    rng = np.random.default_rng(0)
    sentences = rng.integers(4, 20, (2, 8, 4)).astype(np.int32)
    batches = [
        Batch(
            source=words[:, ::-1],
            target_in=np.concatenate([np.full((8, 1), 2, np.int32), words], 1),
            target_out=np.concatenate([words, np.full((8, 1), 3, np.int32)], 1),
            ids=np.arange(8, dtype=np.int32),
        )
        for words in sentences
    ]
    params = jax.jit(partial(init_params, config))(jax.random.key(0))

    def evaluate(params):
        nll, tokens = zip(*(eval_step(model, params, batch) for batch in batches))
        return {"valid_loss": float(sum(nll) / sum(tokens))}

    def run_for(watcher):
        def stream(start):
            return watcher.counting(batches[t % 2] for t in itertools.count(start))

        return Run(training.step, stream, evaluate, STEPS_PER_EPOCH, CONFIG)

    return run_for, lambda: training.start(params, jax.random.key(7))


@pytest.fixture(scope="module")
def uninterrupted(memorising, tmp_path_factory):
    run_for, state = memorising
    run_dir = tmp_path_factory.mktemp("uninterrupted")
    return fit(run_for(Watcher()), state(), run_dir, Watcher()), run_dir


def saved(run_dir):
    return Checkpoints(run_dir / "saves").restore_item("state")


def test_memorises(uninterrupted):
    _, run_dir = uninterrupted
    losses = [row["valid_loss"] for row in read_metrics(run_dir / "metrics.jsonl") if "valid_loss" in row]
    assert losses[0] == pytest.approx(math.log(20), rel=0.02)  # at the start: uniform over 20 words
    assert losses[-1] < 0.1


def test_stopped_twice_it_ends_bit_for_bit_the_same(uninterrupted, memorising, tmp_path):
    expected, run_dir = uninterrupted
    run_for, state = memorising
    for stop_after, step in ((33, 33), (117, 150)):
        watcher = Watcher(stop_after)
        with pytest.raises(StopRequested, match=f"step {step} of 300 is saved"):
            fit(run_for(watcher), state(), tmp_path, watcher)
    params, _, steps = fit(run_for(Watcher()), state(), tmp_path, Watcher())
    assert steps == expected.steps == 300
    jax.tree.map(np.testing.assert_array_equal, params, expected.params)
    # The whole state: optimiser state, average and key too.
    (step, whole), (expected_step, expected_whole) = saved(tmp_path), saved(run_dir)
    assert step == expected_step == 300
    jax.tree.map(np.testing.assert_array_equal, whole, expected_whole)


def running_mean(rows: int) -> Objective:
    """Each row carries the mean of what it has seen, which the loss draws the weight towards."""

    def loss(params, batch, extra, carried, noise):
        mean = 0.9 * carried["mean"] + 0.1 * batch.ids
        pull = ((params["w"] - mean) ** 2).sum()
        return Loss(pull, {"pull": pull}, {"mean": mean})

    return Objective(loss, lambda batch: jnp.float32(1), carried={"mean": np.zeros(rows, np.float32)},
                     report=dict, progress="pull")  # fmt: skip


def test_what_an_objective_carries_survives_a_kill_bit_for_bit(tmp_path):
    config = TrainingConfig(epochs=5, optimizer=OptimizerConfig("adam", 0.1), keep="last")
    training, rng = make_training(running_mean(4), config, 6), np.random.default_rng(0)
    numbers = rng.normal(size=(30, 4)).astype(np.float32)

    def batches(start, end=None):
        for t in range(start, 30):
            if t == end:
                raise KeyboardInterrupt
            yield Numbers(numbers[t])

    def result(run_dir, end=None):
        run = Run(training.step, partial(batches, end=end), lambda params: {"valid_loss": 1.0}, 6, config,
                  report=dict, progress="pull")  # fmt: skip
        return fit(run, training.start({"w": np.float32(0)}, jax.random.key(0)), run_dir, Watcher()), saved(run_dir)

    expected = result(tmp_path / "whole")
    for end in (8, 17):  # lost: the steps since the last checkpoint
        with pytest.raises(KeyboardInterrupt):
            result(tmp_path / "own", end)
    jax.tree.map(np.testing.assert_array_equal, result(tmp_path / "own"), expected)
    mean = np.zeros(4)
    for own in numbers:
        mean = 0.9 * mean + 0.1 * own
    np.testing.assert_allclose(expected[1][1]["carried"]["mean"], mean, rtol=1e-5)
