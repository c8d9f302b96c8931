"""The real Train stage, validated by BLEU: keeps the model whose translations are the best."""

import random
from dataclasses import replace

import jax
import pytest
import sacrebleu

from seq2slim import pruning
from seq2slim.data import batching
from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import VocabularyConfig
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.evaluation.translate import translate
from seq2slim.inference import text_files
from seq2slim.inference.model_files import Model, load_model
from seq2slim.inference.search import make_search
from seq2slim.models import PRESETS, ModelOptions, init_params
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Runner
from seq2slim.stages.text import Text
from seq2slim.stages.train import Train, with_dropout
from seq2slim.training.checkpoints import Checkpoints
from seq2slim.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig
from seq2slim.training.metrics import read_metrics

LENGTH = 5  # of every sentence: one shape to compile


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Sentences of one letter five times, to be copied: (CorpusConfig, references of valid)."""
    folder, draw = tmp_path_factory.mktemp("corpus"), random.Random(0)
    for split, size in (("train", 640), ("valid", 32), ("test", 8)):
        text = "".join(" ".join(draw.choice("abcdefgh") * LENGTH) + "\n" for _ in range(size))
        for side in ("source", "target"):
            (folder / f"{split}.{side}").write_text(text)
    pairs = ((str(folder / f"{split}.source"), str(folder / f"{split}.target")) for split in ("train", "valid", "test"))
    return CorpusConfig("text", *pairs), (folder / "valid.target").read_text().splitlines()


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """(runner, stage, run directory) of a training that stops at a validation no better than the best."""
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
    assert max(bleu) > bleu[0] + 10  # it learnt, and higher was taken as better
    assert bleu[-1] <= max(bleu[:-1]) == bleu[-2]
    assert Checkpoints(run_dir / "saves").best() == steps[-2]

    # By its loss the last one would have been kept: it is surer of the same words.
    # The model that is kept translates as well as the validation said, and is not the last one.
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


def test_losses_are_reported_beside(trained):
    rows = [row for row in read_metrics(trained[2] / "metrics.jsonl") if "valid_bleu" in row]
    assert all(row["valid_loss"] > 0 and row["valid_perplexity"] > 1 for row in rows)


def test_dropout_is_scaled_by_the_root_of_the_density():
    config = PRESETS["tiny"](8, 8, dropout=0.4, output_dropout=0.2, lstm_bias=True)
    params = init_params(config, jax.random.key(0))
    dense = Model(config, params, None, True)
    by_density = TrainingConfig(dropout_by_density=True)
    assert with_dropout(dense, by_density) == with_dropout(dense, TrainingConfig()) == config
    masks = pruning.class_blind(params, sparsity=0.75)
    scaled = with_dropout(dense._replace(masks=masks), by_density)
    assert scaled.dropout == pytest.approx(0.2, rel=1e-3)
    assert scaled.output_dropout == pytest.approx(0.1, rel=1e-3)
    assert replace(scaled, dropout=0.4, output_dropout=0.2) == config
    twice = with_dropout(dense._replace(masks=masks), replace(by_density, dropout_scale=2.0))
    assert (twice.dropout, twice.output_dropout) == pytest.approx((0.4, 0.2), rel=1e-3)
