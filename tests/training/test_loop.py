"""The loop: what it returns, saves, logs and refuses; with a scripted step where the arithmetic does not matter."""

import dataclasses
import hashlib
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
from seq2slim.models import Seq2Seq, Seq2SeqConfig, init_params
from seq2slim.training import metric_buffer
from seq2slim.training.checkpoints import CheckpointError, Checkpoints
from seq2slim.training.config import OptimizerConfig, TrainingConfig
from seq2slim.training.learning_rates import learning_rate
from seq2slim.training.loop import Progress, Run, fit, total_steps
from seq2slim.training.metric_buffer import NonFiniteLoss
from seq2slim.training.metrics import read_metrics
from seq2slim.training.optimizers import make_optimizer
from seq2slim.training.state import TrainState, new_state
from seq2slim.training.step import StepMetrics, eval_step, make_train_step


class Watcher:
    """Asks to stop after `stop_after` steps of this run; keeps what it is told."""

    def __init__(self, stop_after=None):
        self.steps, self.stop_after = 0, stop_after
        self.said, self.seen = [], []

    @property
    def stop_requested(self):
        return self.stop_after is not None and self.steps >= self.stop_after

    def progress(self, **values):
        self.seen.append(values)

    def say(self, line):
        self.said.append(line)

    def counting(self, batches):
        """`batches`, counted as they are drawn."""
        for batch in batches:
            self.steps += 1
            yield batch


class Scripted(NamedTuple):
    """A batch that says what its step is to report."""

    ids: np.ndarray
    loss: np.float32
    gradient_norm: np.float32
    nll: np.float32
    tokens: np.float32


@partial(jax.jit, donate_argnums=0)
def scripted_step(state, batch, masks):
    """Counts the steps in its only weight, so that returned parameters say when they were taken."""
    del masks
    metrics = StepMetrics(batch.loss, batch.nll, batch.tokens, batch.gradient_norm, 0.5 / (1 + state.step))
    return state._replace(step=state.step + 1, params={"w": state.params["w"] + 1}), metrics


def scripted_state():
    return TrainState(jnp.int32(0), {"w": jnp.zeros((1, 2))}, (), None, jax.random.key_data(jax.random.key(0)))


def scripted_batches(start, losses=None, norms=None, end=None):
    """Batches from `start` on; the t-th has loss t, norm 2t, nll 3 (t + 1) and t + 1 tokens unless said otherwise."""
    for t in itertools.count(start) if end is None else range(start, end):
        loss, norm = (losses or {}).get(t, t), (norms or {}).get(t, 2 * t)
        ids = np.array([10 * t, 10 * t + 1, -1])
        yield Scripted(ids, *map(np.float32, (loss, norm, 3 * (t + 1), t + 1)))


def scripted_run(values, steps_per_epoch=3, batches=scripted_batches, **config):
    """A run whose validations yield `values` in turn, and the list of (step, value) of those that took place."""
    took, left = [], iter(values)
    config = TrainingConfig(**({"epochs": 20} | config))

    def evaluate(params):
        took.append((int(params["w"][0, 0]), next(left)))
        return {config.metric: took[-1][1]}

    return Run(scripted_step, batches, evaluate, steps_per_epoch, config), took


def digest(run_dir):
    return {
        path.relative_to(run_dir): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((run_dir / "saves").rglob("*"))
        if path.is_file()
    }


def kept_at(*arguments):
    """The step at which the parameters that `fit` returns were taken."""
    params, _ = fit(*arguments)
    return params["w"][0, 0]


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
        assert total_steps(TrainingConfig(**config), steps_per_epoch) == expected
        assert Run(None, None, None, steps_per_epoch, TrainingConfig(**config)).total_steps == expected

    @pytest.mark.parametrize(
        ("evaluations", "steps_per_epoch", "epochs", "expected"),
        [
            (1, 7, 3, [7, 14, 21]),
            (2, 10, 2, [5, 10, 15, 20]),
            (2, 7, 2, [4, 7, 11, 14]),  # half an epoch is 3.5 steps: the first whole step after it
            (3, 7, 1, [3, 5, 7]),
            (4, 3, 2, [1, 2, 3, 4, 5, 6]),  # never more than one a step
            (1, 10, 2.5, [10, 20, 25]),  # and one at the end
        ],
    )
    def test_validations_are_even_fractions_of_each_epoch(self, evaluations, steps_per_epoch, epochs, expected):
        config = TrainingConfig(epochs=epochs, evaluations_per_epoch=evaluations)
        run = Run(None, None, None, steps_per_epoch, config)
        assert [step for step in range(1, run.total_steps + 1) if run.validates(step)] == expected

    def test_validations_come_at_the_start_evenly_and_at_the_end(self, tmp_path):
        run, took = scripted_run(itertools.count(), max_steps=8)
        assert fit(run, scripted_state(), tmp_path, Watcher())[1] == 8
        assert [step for step, _ in took] == [0, 3, 6, 8]


class TestEarlyStopping:
    def test_keeps_the_best_and_stops_after_patience(self, tmp_path):
        run, took = scripted_run([5, 4, 3, 3.5, 3.0, 1], patience=2)
        params, steps = fit(run, scripted_state(), tmp_path, Watcher())
        # Equal is not better: 3.5 and 3.0 are two worse ones in a row, and the 1 is never seen.
        assert [value for _, value in took] == [5, 4, 3, 3.5, 3.0]
        assert params["w"][0, 0] == 6
        assert steps == 12

    def test_a_better_one_forgives(self, tmp_path):
        run, took = scripted_run([5, 6, 4, 6, 3, 6, 7], patience=2)
        assert kept_at(run, scripted_state(), tmp_path, Watcher()) == 12
        assert len(took) == 7

    def test_bleu_is_better_when_higher(self, tmp_path):
        run, _ = scripted_run([1, 2, 9, 3, 4], patience=2, metric="valid_bleu")
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

    def test_patience_outlives_an_interruption(self, tmp_path):
        values = [5, 4, 4.5, 4.6, 1]
        watcher = Watcher(stop_after=7)
        run, _ = scripted_run(values, batches=lambda start: watcher.counting(scripted_batches(start)), patience=2)
        with pytest.raises(StopRequested, match="step 7 of 60"):
            fit(run, scripted_state(), tmp_path, watcher)
        run, took = scripted_run(values[3:], patience=2)
        assert kept_at(run, scripted_state(), tmp_path, Watcher()) == 3
        assert took == [(9, 4.6)]
        # Finished: once more, it neither steps nor validates.
        run = dataclasses.replace(run, step=None, batches=None, evaluate=None)
        assert kept_at(run, scripted_state(), tmp_path, Watcher()) == 3


class TestNonFinite:
    @pytest.mark.parametrize("what", ["losses", "norms"])
    def test_names_step_rate_and_lines_and_leaves_the_saves(self, tmp_path, what):
        bad = {7: np.nan if what == "losses" else np.inf}
        before = {}

        def batches(start):
            for t, batch in enumerate(scripted_batches(start, **{what: bad}), start):
                if t == 7:
                    before.update(digest(tmp_path))
                yield batch

        run, took = scripted_run(itertools.count(), batches=batches)
        with pytest.raises(NonFiniteLoss) as error:
            fit(run, scripted_state(), tmp_path, Watcher())
        message = str(error.value)
        assert message.startswith("step 8: loss")
        assert "learning rate 0.0625" in message  # 0.5 / (1 + 7)
        assert message.endswith("training lines 71, 72")  # ids from 0, lines from 1; a filling row is none
        assert "nan" in message or "inf" in message
        assert before
        assert digest(tmp_path) == before
        assert [step for step, _ in took] == [0, 3, 6]

    def test_just_before_a_validation_nothing_is_validated_or_saved(self, tmp_path):
        run, took = scripted_run(itertools.count(), batches=partial(scripted_batches, losses={5: np.inf}))
        with pytest.raises(NonFiniteLoss, match="step 6: loss inf"):
            fit(run, scripted_state(), tmp_path, Watcher())
        assert [step for step, _ in took] == [0, 3]
        assert Checkpoints(tmp_path / "saves").steps() == [0, 3]

    @pytest.mark.parametrize(
        ("metric", "value"), [("valid_loss", math.nan), ("valid_loss", math.inf), ("valid_bleu", math.nan)]
    )
    def test_a_validation_that_is_no_number_is_neither_logged_nor_saved(self, tmp_path, metric, value):
        before = {}

        def validations():
            yield from (5.0, 4.0)
            before.update(digest(tmp_path))
            yield value

        run, _ = scripted_run(validations(), metric=metric)
        with pytest.raises(NonFiniteLoss, match=f"validation after step 6: {metric} is {value}"):
            fit(run, scripted_state(), tmp_path, Watcher())
        assert before
        assert digest(tmp_path) == before
        rows = read_metrics(tmp_path / "metrics.jsonl")
        assert [(row["step"], row[metric]) for row in rows if metric in row] == [(0, 5.0), (3, 4.0)]


class TestLog:
    def test_holds_what_is_promised(self, tmp_path, monkeypatch):
        monkeypatch.setattr(metric_buffer, "LOG_EVERY", 4)
        run, _ = scripted_run([9.5, 8.5], steps_per_epoch=10, max_steps=10)
        watcher = Watcher()
        fit(run, scripted_state(), tmp_path, watcher)
        rows = read_metrics(tmp_path / "metrics.jsonl")
        valid = [(row["step"], row["epoch"], row["valid_loss"]) for row in rows if "valid_loss" in row]
        assert valid == [(0, 0.0, 9.5), (10, 1.0, 8.5)]
        train = [row for row in rows if "train_loss" in row]
        # Every step stands in one line: steps 1-4, 5-8, and 9-10 before the validation.
        assert [row["step"] for row in train] == [4, 8, 10]
        for row, steps in zip(train, (range(4), range(4, 8), range(8, 10))):
            assert row["epoch"] == row["step"] / 10
            assert row["train_loss"] == pytest.approx(np.mean(steps))
            assert row["gradient_norm"] == pytest.approx(2 * np.mean(steps))
            assert row["train_perplexity"] == pytest.approx(math.exp(3))  # nll is 3 a token
            assert row["learning_rate"] == pytest.approx(0.5 / row["step"])
            assert row["tokens_per_s"] > 0
        # The watcher hears of every step; how fast, as soon as the log has a line.
        assert [(seen["step"], seen["total"], seen["loss"]) for seen in watcher.seen] == [
            (step, 10, pytest.approx(3)) for step in range(1, 11)
        ]
        speeds = [seen["tokens_per_s"] for seen in watcher.seen]
        written = [row["tokens_per_s"] for row in train]
        assert speeds == [None] * 4 + [written[0]] * 4 + [written[1]] * 2

    def test_is_cut_back_to_the_save_that_a_killed_run_goes_on_from(self, tmp_path, monkeypatch):
        monkeypatch.setattr(metric_buffer, "LOG_EVERY", 1)

        def killed(start):
            yield from scripted_batches(start, end=8)
            raise KeyboardInterrupt

        run, _ = scripted_run(itertools.count(), steps_per_epoch=5, batches=killed, max_steps=12)
        with pytest.raises(KeyboardInterrupt):
            fit(run, scripted_state(), tmp_path, Watcher())
        steps = [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")]
        assert max(steps) > 5
        run, _ = scripted_run(itertools.count(100), steps_per_epoch=5, max_steps=12)
        watcher = Watcher()
        fit(run, scripted_state(), tmp_path, watcher)
        rows = read_metrics(tmp_path / "metrics.jsonl")
        assert [row["step"] for row in rows if "train_loss" in row] == list(range(1, 13))
        assert [(row["step"], row["valid_loss"]) for row in rows if "valid_loss" in row] == [
            (0, 0), (5, 1), (10, 100), (12, 101),
        ]  # fmt: skip
        assert watcher.said == ["going on from step 5 of 12"]


def test_a_stop_is_heeded_when_every_step_validates(tmp_path):
    watcher = Watcher(stop_after=2)
    run, took = scripted_run(itertools.count(), 1, lambda start: watcher.counting(scripted_batches(start)))
    with pytest.raises(StopRequested, match="stopped at step 2 of 20"):
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
    """The average is what would be kept; here it started from parameters that were not pruned."""
    run, _ = scripted_run(itertools.count())
    run = dataclasses.replace(run, masks=MASKS, evaluate=lambda params: {"valid_loss": 1.0})
    with pytest.raises(AssertionError, match="1 pruned weights are not zero"):
        fit(run, scripted_state()._replace(average={"w": jnp.ones((1, 2))}), tmp_path, Watcher())
    assert Checkpoints(tmp_path / "saves").steps() == []


def test_a_damaged_best_save_is_said(tmp_path):
    run, _ = scripted_run([1, 2, 3], max_steps=6)
    fit(run, scripted_state(), tmp_path, Watcher())
    (manifest,) = tmp_path.glob("saves/*-best/manifest.json")
    manifest.write_text(manifest.read_text()[:-9])
    with pytest.raises(CheckpointError, match="best save"):
        fit(run, scripted_state(), tmp_path, Watcher())


CONFIG = TrainingConfig(epochs=3, optimizer=OptimizerConfig("adam", 0.02), average_decay=0.9)
STEPS_PER_EPOCH = 100  # 300 steps and, with the one at the start, 4 validations


@pytest.fixture(scope="module")
def memorising():
    """A tiny model with dropout, two batches to learn by heart: (watcher -> run, () -> state)."""
    model = Seq2Seq(Seq2SeqConfig(20, 20, layers=1, units=32, dropout=0.05))
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
    rate = learning_rate(CONFIG.schedule, CONFIG.optimizer.learning_rate, STEPS_PER_EPOCH, 300)
    optimizer = make_optimizer(CONFIG.optimizer, rate)
    step = make_train_step(model, optimizer, CONFIG, rate)
    params = jax.jit(partial(init_params, model.config))(jax.random.key(0))

    def evaluate(params):
        nll, tokens = zip(*(eval_step(model, params, batch) for batch in batches))
        return {"valid_loss": float(sum(nll) / sum(tokens))}

    def run_for(watcher):
        def stream(start):
            return watcher.counting(batches[t % 2] for t in itertools.count(start))

        return Run(step, stream, evaluate, STEPS_PER_EPOCH, CONFIG)

    return run_for, lambda: new_state(params, optimizer, jax.random.key(7), averaged=True)


@pytest.fixture(scope="module")
def uninterrupted(memorising, tmp_path_factory):
    run_for, state = memorising
    run_dir = tmp_path_factory.mktemp("uninterrupted")
    return fit(run_for(Watcher()), state(), run_dir, Watcher()), run_dir


def saved(run_dir):
    return Checkpoints(run_dir / "saves").restore_item("state")


def test_learns_by_heart(uninterrupted):
    _, run_dir = uninterrupted
    losses = [row["valid_loss"] for row in read_metrics(run_dir / "metrics.jsonl") if "valid_loss" in row]
    assert losses[0] == pytest.approx(math.log(20), rel=0.02)  # knows nothing yet: uniform over 20 words
    assert losses[-1] < 0.1


def test_stopped_twice_it_ends_bit_for_bit_the_same(uninterrupted, memorising, tmp_path):
    expected, run_dir = uninterrupted
    run_for, state = memorising
    for stop_after, step in ((33, 33), (117, 150)):
        watcher = Watcher(stop_after)
        with pytest.raises(StopRequested, match=f"stopped at step {step} of 300"):
            fit(run_for(watcher), state(), tmp_path, watcher)
    params, steps = fit(run_for(Watcher()), state(), tmp_path, Watcher())
    assert steps == expected[1] == 300
    jax.tree.map(np.testing.assert_array_equal, params, expected[0])
    # The whole state, with the optimiser's memory, the average and the key.
    (step, whole), (expected_step, expected_whole) = saved(tmp_path), saved(run_dir)
    assert step == expected_step == 300
    jax.tree.map(np.testing.assert_array_equal, whole, expected_whole)
