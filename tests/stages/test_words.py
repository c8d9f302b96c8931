"""Word-level distillation: stored words are the teacher's softmax, and teach as the teacher itself does."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from seq2slim.data import batching
from seq2slim.distillation.top_k import TopKStore
from seq2slim.errors import UserError
from seq2slim.inference import text_files
from seq2slim.inference.model_files import load_model
from seq2slim.models import ModelOptions
from seq2slim.special_ids import PAD
from seq2slim.stages.train import Train
from seq2slim.stages.words import StoreWords
from seq2slim.training.config import WordDistillationConfig
from seq2slim.training.objectives import OBJECTIVES
from tests.support.distilling import TRAINING


class TestWords:
    def test_the_store_is_the_softmax_of_the_teacher(self, runner, text, teacher):
        stage = StoreWords(text, (teacher,), 4)
        runner.run(stage)
        model, split = load_model(runner.run_dir(teacher)), text_files.tokenised(runner.run_dir(text))["train"]
        config = batching.BatchConfig(8, model.reverse_source)
        batch = next(batching.evaluation_batches(split, config))
        log_p = jax.nn.log_softmax(
            model.module.apply({"params": model.params}, batch.source, batch.target_in)
        )  # [T, B, V]
        found = TopKStore(runner.run_dir(stage)).of(batch)
        inside = (batch.target_out != PAD).T
        expected = -np.sort(-np.asarray(log_p), axis=-1)[..., :4]
        np.testing.assert_allclose(found.log_probs[inside], expected[inside], rtol=1e-4, atol=1e-5)
        own = np.take_along_axis(np.asarray(log_p), found.words, -1)
        np.testing.assert_allclose(own[inside], expected[inside], rtol=1e-4, atol=1e-5)
        assert 0 < runner.result(stage)["mass"] < 1

    def test_a_student_is_taught_online_or_from_the_store_alike(self, runner, text, teacher):
        vocabulary = len(text_files.vocabularies(runner.run_dir(text))[1])
        student = Train(text, ModelOptions("tiny", units=4), TRAINING)
        word = WordDistillationConfig(alpha=0.9)
        taught = [
            replace(student, teachers=teachers, word=word)
            for teachers in ((teacher,), (StoreWords(text, (teacher,), vocabulary),))
        ]
        silent = replace(student, teachers=(teacher,), word=WordDistillationConfig(alpha=0.0))
        runner.run([student, *taught, silent])
        plain, online, stored, untaught = (
            load_model(runner.run_dir(stage)).params for stage in (student, *taught, silent)
        )
        jax.tree.map(np.testing.assert_array_equal, plain, untaught)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), online, stored)
        assert any((a != b).any() for a, b in zip(*map(jax.tree.leaves, (plain, online))))

    def test_refusals(self, runner, text, teacher, relabelled, monkeypatch):
        model, stored = ModelOptions("tiny", units=4), StoreWords(text, (teacher,), 4)
        with pytest.raises(UserError, match="the words stored are of"):
            Train(relabelled[0], model, TRAINING, teachers=(stored,))
        with pytest.raises(UserError, match="stored words are the only teacher"):
            Train(text, model, TRAINING, teachers=(stored, teacher))
        with pytest.raises(UserError, match="there are none"):
            Train(text, model, TRAINING, word=WordDistillationConfig(0.9))
        monkeypatch.setitem(OBJECTIVES, "other", OBJECTIVES["nll"])
        with pytest.raises(UserError, match="mixed with nll alone"):
            Train(text, model, replace(TRAINING, objective="other"), teachers=(teacher,))
        with pytest.raises(ValueError, match="must read the source in the same direction"):
            runner.run(Train(text, ModelOptions("tiny", units=4), TRAINING, False, teachers=(teacher,)))
        with pytest.raises(UserError, match="k=1000 words per position are stored; the vocabulary has"):
            runner.run(StoreWords(text, (teacher,), 1000))
