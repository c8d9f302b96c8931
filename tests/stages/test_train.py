"""Training: chosen by BLEU, under masks, and from a parent on another text."""

import random
from dataclasses import replace

import jax
import numpy as np
import pytest
import sacrebleu

from seq2slim import pruning
from seq2slim.data import batching
from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.errors import UserError
from seq2slim.evaluation.translate import translate
from seq2slim.inference import text_files
from seq2slim.inference.model_files import load_model
from seq2slim.inference.search import make_search
from seq2slim.models import ModelOptions, init_params
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.runs.stage import identity
from seq2slim.stages import train
from seq2slim.stages.prune import Prune
from seq2slim.stages.text import Text
from seq2slim.stages.train import Retrain, Train
from seq2slim.tasks import TASKS
from seq2slim.training.checkpoints import Checkpoints
from seq2slim.training.config import OptimizerConfig, PruningConfig, ScheduleConfig, TrainingConfig
from seq2slim.training.metrics import read_metrics
from tests.support.distilling import TRAINING
from tests.support.pruning_chain import SEED, arrays, model


def test_fine_tuning_starts_from_the_parent_on_another_text(runner, teacher, relabelled):
    tuned = Retrain(teacher, TRAINING, on=relabelled[1])
    assert tuned.text == relabelled[1]
    assert (
        identity(tuned)
        != identity(Retrain(teacher, TRAINING))
        != identity(Retrain(teacher, TRAINING, on=relabelled[0]))
    )
    runner.run(tuned)
    assert load_model(runner.run_dir(tuned)).config == load_model(runner.run_dir(teacher)).config


@pytest.mark.parametrize(("seed", "original"), [(SEED, True), (SEED + 1, False)])
def test_training_under_masks_starts_from_its_own_seed_and_never_leaves_them(runner, baseline, seed, original):
    pruned = Prune(baseline, sparsity=0.7)
    masks = arrays(model(runner, pruned).masks)
    still = TrainingConfig(max_steps=2, batch_size=16, shapes=1, keep="last")
    found = model(runner, Train(baseline.text, baseline.model, still, seed=seed, masks=pruned))
    assert all((arrays(found.masks)[path] == mask).all() for path, mask in masks.items())
    start = arrays(init_params(found.config, jax.random.fold_in(jax.random.key(SEED), 0)))
    for path, leaf in arrays(found.params).items():
        assert (leaf[~masks[path]] == 0).all()
        moved = np.abs(leaf - start[path])[masks[path]]
        # Two steps of Adam at its warm-up go a few hundredths at most; another draw in [-0.1, 0.1] is farther away.
        assert (moved.max() < 0.02) == original, path
        assert moved.max() > 0


def test_a_pruned_model_is_pruned_further_while_it_is_retrained(runner, baseline):
    half = Prune(baseline, sparsity=0.5)
    ramp = TrainingConfig(max_steps=12, batch_size=16, shapes=1, keep="last", pruning=PruningConfig("gradual"))
    found, parent = model(runner, Retrain(half, ramp)), model(runner, half)
    assert pruning.count(found.masks).sparsity == pytest.approx(0.8, abs=1e-3)
    before, masks, params = arrays(parent.masks), arrays(found.masks), arrays(found.params)
    for path, mask in masks.items():
        assert not (mask & ~before[path]).any()  # what was pruned stays pruned
        assert ((params[path] != 0) <= mask).all()
    less = replace(ramp, pruning=PruningConfig("gradual", sparsity=0.4))
    with pytest.raises(UserError, match=r"pruned 50\.0% cannot be pruned on the way to 40\.0%"):
        runner.run(Retrain(half, less))


def test_a_dense_model_has_no_masks_to_train_under(runner, baseline):
    with pytest.raises(ValueError, match="is dense"):
        runner.run(Train(baseline.text, baseline.model, baseline.training, seed=9, masks=baseline))


KNOWN = Text(CorpusConfig("reverse"), content="0" * 64)  # its content is not read


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"metric": "valid_blue"}, "metric: got 'valid_blue'.*valid_bleu"),
        ({"objective": "nnl"}, "objective: got 'nnl'.*nll"),
    ],
)
def test_an_unknown_metric_or_objective_is_refused_when_the_stage_is_made(changes, match):
    training = TrainingConfig(**changes)
    for stage in (lambda: Train(KNOWN, training=training), lambda: Retrain(Train(KNOWN), training)):
        with pytest.raises(UserError, match=match):
            stage()


def test_a_model_is_not_retrained_on_a_text_of_another_task(monkeypatch):
    monkeypatch.setitem(TASKS, "another", TASKS["translation"])
    with pytest.raises(UserError, match="has learnt translation; the text to retrain it on is for another"):
        Retrain(Train(KNOWN), on=replace(KNOWN, task="another"))


LENGTH = 5  # words per sentence, so that one shape is compiled


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Sentences of one letter repeated five times, to be copied: (CorpusConfig, references of valid)."""
    folder, draw = tmp_path_factory.mktemp("corpus"), random.Random(0)
    for split, size in (("train", 640), ("valid", 32), ("test", 8)):
        text = "".join(" ".join(draw.choice("abcdefgh") * LENGTH) + "\n" for _ in range(size))
        for side in ("source", "target"):
            (folder / f"{split}.{side}").write_text(text)
    pairs = ((str(folder / f"{split}.source"), str(folder / f"{split}.target")) for split in ("train", "valid", "test"))
    return CorpusConfig("text", *pairs), (folder / "valid.target").read_text().splitlines()


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """(runner, stage, run directory) of a training that stops at the first validation that is not the best."""
    training = TrainingConfig(
        epochs=40,
        batch_size=32,
        shapes=1,
        optimizer=OptimizerConfig("adam", learning_rate=0.02),
        schedule=ScheduleConfig("constant"),
        evaluations_per_epoch=1,
        metric="valid_bleu",
        keep="best",
        patience=1,
    )
    stage = Train(Text(corpus[0], VocabularyConfig("words", 20)), ModelOptions("tiny", units=16), training)
    runner = Runner(tmp_path_factory.mktemp("runs"), Console())
    (run_dir,) = runner.run(stage)
    return runner, stage, run_dir


def test_validating_by_bleu_keeps_the_best(trained, corpus):
    runner, stage, run_dir = trained
    values = [
        (row["step"], row["valid_bleu"]) for row in read_metrics(run_dir / "metrics.jsonl") if "valid_bleu" in row
    ]
    steps, bleu = zip(*values)
    assert list(steps) == [20 * k for k in range(len(steps))]
    assert runner.result(stage)["steps"] == steps[-1] < 800  # patience ended it
    assert max(bleu) > bleu[0] + 10  # it learnt, and higher counts as better
    assert bleu[-1] <= max(bleu[:-1]) == bleu[-2]
    assert Checkpoints(run_dir / "saves").best() == steps[-2]

    # The kept model has the BLEU of its validation. It is not the last one, whose loss may be lower.
    text_dir = runner.run_dir(stage.text)
    batches = batching.evaluation_batches(
        text_files.tokenised(text_dir)["valid"], batching.BatchConfig(32, stage.reverse_source), targets=False
    )
    search = make_search(load_model(run_dir), SearchConfig(beam=1))
    lines = translate(search, batches, text_files.vocabularies(text_dir)[1], len(corpus[1]))
    assert sacrebleu.corpus_bleu(lines, [corpus[1]], force=True).score == pytest.approx(max(bleu))
    best, last = (Checkpoints(run_dir / "saves").restore_item("state", step=step)[1]["params"] for step in steps[-2:])
    kept = load_model(run_dir).params["softmax"]["kernel"]
    assert (kept == best["softmax"]["kernel"]).all()
    assert (kept != last["softmax"]["kernel"]).any()


def test_losses_are_logged_with_bleu(trained):
    rows = [row for row in read_metrics(trained[2] / "metrics.jsonl") if "valid_bleu" in row]
    assert all(row["valid_loss"] > 0 and row["valid_perplexity"] > 1 for row in rows)


def test_a_validation_takes_the_memory_of_a_batch_and_not_of_a_step(runner, baseline, monkeypatch):
    seen = set()
    whole = train.model_perplexity
    monkeypatch.setattr(train, "model_perplexity", lambda *given: seen.add(given[3].batch_size) or whole(*given))
    training = TrainingConfig(max_steps=1, batch_size=4, accumulate=3, shapes=1, keep="last")
    runner.run(Train(baseline.text, baseline.model, training, seed=77))
    assert seen == {4}
