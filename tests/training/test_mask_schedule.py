"""Pruning on the way: when, how much and what, by schedules written out here; interrupted, bit for bit the same."""

import dataclasses
import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seq2slim import pruning
from seq2slim.errors import StopRequested, UserError
from seq2slim.training.checkpoints import Checkpoints
from seq2slim.training.config import PruningConfig, TrainingConfig
from seq2slim.training.loop import Run, fit
from seq2slim.training.mask_schedule import mask_schedule
from seq2slim.training.metric_buffer import NonFiniteLoss
from seq2slim.training.metrics import read_metrics
from seq2slim.training.objective import Loss, Objective
from seq2slim.training.state import new_state
from seq2slim.training.step import make_training
from tests.support.scripted_training import Scripted, Watcher

STEPS = 40
ONCE = PruningConfig("one_shot", sparsity=0.8, start=0.25)
ROUNDS = PruningConfig("iterative", sparsity=0.875, start=0.25, stop=0.75, rounds=3)
RAMP = PruningConfig("gradual", sparsity=0.8, start=0.25, stop=0.75, every=2)  # 10 prunings in 20 steps


def due(config, steps=STEPS):
    """Step -> sparsity of each pruning."""
    schedule = mask_schedule(config, steps)
    return {step: schedule.sparsity(step) for step in range(steps) if schedule.is_due(step)}


def test_when_and_how_much():
    assert mask_schedule(PruningConfig(), STEPS) is None
    assert due(ONCE) == {10: 0.8}
    assert due(dataclasses.replace(ONCE, start=0.0)) == {0: 0.8}
    assert due(ROUNDS) == {10: 0.5, 20: 0.75, 30: 0.875}  # half of what is left, three times
    # The first step of the ramp prunes nothing. At least ten follow, however seldom they should come.
    expected = {10 + 2 * k: 0.8 - 0.8 * (1 - k / 10) ** 3 for k in range(1, 11)}
    for every in (2, 5, 50):
        found = due(dataclasses.replace(RAMP, every=every))
        assert found == {step: pytest.approx(sparsity) for step, sparsity in expected.items()}
    assert len(due(dataclasses.replace(RAMP, every=50), 4000)) == 40  # 2,000 steps, every 50


def test_a_pruned_model_is_pruned_from_where_it_is():
    def due_from(config, initial):
        schedule = mask_schedule(config, STEPS, initial=initial)
        return {step: schedule.sparsity(step) for step in range(STEPS) if schedule.is_due(step)}

    assert due_from(ONCE, 0.5) == {10: 0.8}
    assert due_from(dataclasses.replace(ONCE, start=0.0), 0.5) == {0: 0.8}
    # From 20% kept to 2.5% kept: half of what is left, three times.
    rounds = dataclasses.replace(ROUNDS, sparsity=0.975)
    assert due_from(rounds, 0.8) == {10: pytest.approx(0.9), 20: pytest.approx(0.95), 30: 0.975}
    ramp = due_from(RAMP, 0.5)
    assert ramp == {10 + 2 * k: pytest.approx(0.8 - 0.3 * (1 - k / 10) ** 3) for k in range(1, 11)}
    assert min(due_from(ROUNDS, 0.29)) == 10  # where 1 - (1 - 0.29) is more than 0.29
    for config in (ONCE, ROUNDS, RAMP):
        with pytest.raises(UserError, match=r"pruned 90\.0% cannot be pruned on the way to 8"):
            mask_schedule(config, STEPS, initial=0.9)


@pytest.mark.parametrize("config", [ONCE, ROUNDS, RAMP], ids=lambda config: config.schedule)
@pytest.mark.parametrize("steps", [STEPS, 997])
def test_the_last_pruning_is_the_last_one_that_is_due(config, steps):
    found = due(config, steps)
    assert max(found) == mask_schedule(config, steps).last
    assert found[max(found)] == config.sparsity


@pytest.mark.parametrize("config", [RAMP, dataclasses.replace(ONCE, start=0.9, stop=0.9)])
def test_too_short_a_run_is_refused(config):
    with pytest.raises(UserError, match="too short"):
        mask_schedule(config, 1)


def test_more_rounds_than_steps_are_refused():
    with pytest.raises(UserError, match="30 rounds of pruning do not fit between the steps 10 and 30"):
        mask_schedule(dataclasses.replace(ROUNDS, rounds=30), STEPS)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"schedule": "cubic"}, "schedule must be one of"),
        ({"scheme": "blind"}, "scheme must be one of"),
        ({"sparsity": 1.0}, r"sparsity .* in \(0, 1\), got 1.0"),
        ({"sparsity": 0.0}, r"sparsity .* in \(0, 1\), got 0.0"),
        ({"start": 0.7, "stop": 0.6}, "got 0.7 and 0.6"),
        ({"stop": 1.0}, "got 0.15 and 1.0"),
        ({"start": -0.1}, "got -0.1"),
        ({"rounds": 0}, "rounds must be a positive number"),
        ({"every": 0}, "every must be a positive number"),
    ],
)
def test_options_out_of_range(changes, match):
    with pytest.raises(UserError, match=match):
        PruningConfig(**changes)


def test_a_scheme_gets_classes_key_and_the_earlier_masks():
    """Masks of one key nest, so each pruning of `random` is that of the whole draw."""
    params = {"a": jnp.ones((6, 5)), "b": jnp.ones((6, 5))}
    classes = {"a": "a", "b": pruning.NEVER_PRUNED}
    config, key = PruningConfig("gradual", "random", 0.5), jax.random.key(4)
    schedule = mask_schedule(config, 100, classes, key)
    earlier = pruning.class_blind(params, 0.1, classes=classes)
    masks = schedule.masks(params, 0.5, earlier)
    expected = pruning.random(params, 0.5, key, classes=classes, masks=earlier)
    jax.tree.map(np.testing.assert_array_equal, masks, expected)
    assert masks["b"].ndim == 0


# A run of the real loop and step, on a loss that is quick to compile: half the squared distance from a target.
TARGET = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
PARAMS = {"w": 0.1 * np.random.default_rng(1).normal(size=(8, 5)).astype(np.float32), "b": np.ones(3, np.float32)}


def distance(params, batch, extra, carried, noise):
    total = ((params["w"] - TARGET) ** 2).sum() / 2 + (params["b"] ** 2).sum() * batch.loss
    scale = jnp.float32(1) if noise.dropout_scale is None else noise.dropout_scale
    return Loss(total, {"scale": scale}, carried)


def batches(start):
    for t in itertools.count(start):
        yield Scripted(np.array([t]), np.float32(t % 3), np.float32(0), np.float32(0), np.float32(0))


@pytest.fixture(scope="module")
def training():
    """The step, compiled once for all runs."""
    config = TrainingConfig(
        max_steps=STEPS, dropout_by_density=True, average_decay=0.5, pruning=RAMP, evaluations_per_epoch=1
    )
    objective = Objective(distance, tokens=lambda batch: jnp.float32(1), report=lambda sums: sums, progress="scale")
    masks = pruning.all_true(PARAMS)
    return make_training(objective, config, 10, masks), config, masks


def run_of(training, watcher, evaluate=lambda params: {"valid_loss": 1.0}, prune=RAMP, **changes):
    made, config, masks = training
    return Run(
        step=made.step,
        batches=lambda start: watcher.counting(batches(start)),
        evaluate=evaluate,
        steps_per_epoch=10,
        config=dataclasses.replace(config, **changes),
        masks=masks,
        schedule=mask_schedule(prune, STEPS),
        report=lambda sums: {"scale": sums["scale"]},
        progress="scale",
    )


def start(training):
    return training[0].start(PARAMS, jax.random.key(0))


def zeros(params):
    return float((np.asarray(params["w"]) == 0).mean())


def test_the_model_is_pruned_when_due_and_stays_pruned(training, tmp_path, monkeypatch):
    monkeypatch.setattr("seq2slim.training.metric_buffer.LOG_EVERY", 1)
    seen = []
    run = run_of(training, Watcher(), lambda params: seen.append(zeros(params)) or {"valid_loss": 1.0}, keep="last")
    params, masks, steps = fit(run, start(training), tmp_path, Watcher())
    assert steps == STEPS
    # Validations after 0, 10, 20, 30 and 40 steps: a pruning that is due then has not come yet.
    ramp = {k: round(40 * (0.8 - 0.8 * (1 - k / 10) ** 3)) / 40 for k in range(11)}
    assert seen == pytest.approx([0, 0, ramp[4], ramp[9], 0.8])
    assert zeros(params) == pytest.approx(0.8)
    np.testing.assert_array_equal(np.asarray(params["w"]) != 0, masks["w"])
    assert masks["b"].ndim == 0
    rows = read_metrics(tmp_path / "metrics.jsonl")
    logged = {row["step"]: row["sparsity"] for row in rows if "sparsity" in row}
    assert logged == {11 + 2 * k: pytest.approx(ramp[k]) for k in range(1, 11)}  # before these steps
    # Dropout follows the density of each step.
    scales = {row["step"]: row["scale"] for row in rows if "scale" in row}
    for step, share in ((12, 0), (13, 1), (15, 2), (30, 9), (40, 10)):
        assert scales[step] == pytest.approx(np.sqrt(1 - ramp[share]), rel=1e-5)


def test_only_fully_pruned_models_compete(training, tmp_path):
    """Validations at 0, 10, 20, 30, 40 steps get better and better until the ramp ends, which is before step 31."""
    values = iter([1.0, 0.5, 0.2, 0.1, 9.0])
    run = run_of(training, Watcher(), lambda params: {"valid_loss": next(values)}, keep="best", patience=1)
    params, masks, steps = fit(run, start(training), tmp_path, Watcher())
    assert steps == STEPS
    assert zeros(params) == pytest.approx(0.8)
    assert pruning.count(masks).sparsity == pytest.approx(0.8)


def test_patience_waits_for_the_last_pruning(training, tmp_path):
    early = PruningConfig("iterative", sparsity=0.5, start=0.3, stop=0.8, rounds=2)
    run = run_of(training, Watcher(), prune=early, keep="last", patience=1)  # no validation is ever better
    params, _, steps = fit(run, start(training), tmp_path, Watcher())
    assert steps == STEPS
    assert zeros(params) == 0.5


def test_interrupted_in_the_ramp_it_ends_bit_for_bit_the_same(training, tmp_path):
    """Stopped where a pruning is due next, and killed between two checkpoints."""
    expected = fit(run_of(training, Watcher(), keep="last"), start(training), tmp_path / "whole", Watcher())
    own = tmp_path / "own"
    for steps in (14, 9):
        watcher = Watcher(steps)
        with pytest.raises(StopRequested):
            fit(run_of(training, watcher, keep="last"), start(training), own, watcher)
    killed = run_of(training, Watcher(), keep="last")
    killed = dataclasses.replace(killed, batches=partial(failing, killed.batches, at=28))
    with pytest.raises(KeyboardInterrupt):
        fit(killed, start(training), own, Watcher())
    assert Checkpoints(own / "saves").latest() == 23
    masks = Checkpoints(own / "saves").restore_item("masks")[1]
    assert 0.3 < pruning.count(masks).sparsity < 0.8
    found = fit(run_of(training, Watcher(), keep="last"), start(training), own, Watcher())
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    states = [Checkpoints(tmp_path / name / "saves").restore_item("state") for name in ("whole", "own")]
    jax.tree.map(np.testing.assert_array_equal, *states)


def failing(batches, start, at):
    for step, batch in enumerate(batches(start), start):
        if step == at:
            raise KeyboardInterrupt
        yield batch


def test_a_loss_that_is_not_finite_is_told_as_such_though_a_pruning_is_due(training, tmp_path):
    """The step before the first pruning: its metrics are read before the weights are ranked."""

    def broken(batches, start):
        for step, batch in enumerate(batches(start), start):
            yield batch._replace(loss=np.float32(np.nan)) if step == 11 else batch

    run = run_of(training, Watcher(), keep="last")
    run = dataclasses.replace(run, batches=partial(broken, run.batches))
    with pytest.raises(NonFiniteLoss, match="step 12: loss nan"):
        fit(run, start(training), tmp_path, Watcher())


def test_a_scheme_that_cannot_prune_says_when():
    schedule = mask_schedule(dataclasses.replace(ONCE, start=0.0), STEPS)
    state = new_state({"w": np.full((2, 2), np.nan, np.float32)}, optax.identity(), jax.random.key(0), False)
    with pytest.raises(UserError, match=r"cannot be pruned after step 0: .*NaN"):
        schedule.prune(state, pruning.all_true(state.params))
