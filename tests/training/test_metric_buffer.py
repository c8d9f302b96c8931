"""The log of a training holds every step once, and a loss that is not finite ends the run before it is saved."""

import itertools
import math
from functools import partial

import numpy as np
import pytest

from seq2slim.training import metric_buffer
from seq2slim.training.checkpoints import Checkpoints
from seq2slim.training.loop import fit
from seq2slim.training.metric_buffer import NonFiniteLoss
from seq2slim.training.metrics import read_metrics
from tests.support.scripted_training import Watcher, digest, scripted_batches, scripted_run, scripted_state


class TestNonFinite:
    @pytest.mark.parametrize("what", ["losses", "norms"])
    def test_names_step_rate_and_lines_and_leaves_the_checkpoints(self, tmp_path, what):
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
        assert message.endswith("training lines 71, 72")  # ids from 0, lines from 1; an unused row has none
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
    def test_a_non_finite_validation_is_neither_logged_nor_saved(self, tmp_path, metric, value):
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
    def test_holds_every_step_once(self, tmp_path, monkeypatch):
        monkeypatch.setattr(metric_buffer, "LOG_EVERY", 4)
        run, _ = scripted_run([9.5, 8.5], steps_per_epoch=10, max_steps=10)
        watcher = Watcher()
        fit(run, scripted_state(), tmp_path, watcher)
        rows = read_metrics(tmp_path / "metrics.jsonl")
        valid = [(row["step"], row["epoch"], row["valid_loss"]) for row in rows if "valid_loss" in row]
        assert valid == [(0, 0.0, 9.5), (10, 1.0, 8.5)]
        train = [row for row in rows if "train_loss" in row]
        # Every step is in exactly one line: steps 1-4, 5-8, and 9-10 before the validation.
        assert [row["step"] for row in train] == [4, 8, 10]
        for row, steps in zip(train, (range(4), range(4, 8), range(8, 10))):
            assert row["epoch"] == row["step"] / 10
            assert row["train_loss"] == pytest.approx(np.mean(steps))
            assert row["gradient_norm"] == pytest.approx(2 * np.mean(steps))
            assert row["train_perplexity"] == pytest.approx(math.exp(3))  # nll is 3 per token
            assert row["learning_rate"] == pytest.approx(0.5 / row["step"])
            assert row["tokens_per_s"] > 0
        # The watcher sees every step, and the speed once the log has a line.
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
        assert watcher.said == ["resuming from step 5 of 12"]
