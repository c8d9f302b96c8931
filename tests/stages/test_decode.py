"""Decoding with a teacher: against a search in memory, interrupted and resumed, verified, and joined from folds."""

from dataclasses import replace

import numpy as np
import pytest

from seq2slim.data import batching
from seq2slim.distillation import teacher_corpus
from seq2slim.distillation.n_best import read_n_best
from seq2slim.errors import StopRequested
from seq2slim.evaluation.translate import search_lines
from seq2slim.inference import teacher as decode
from seq2slim.inference import text_files
from seq2slim.inference.model_files import load_model
from seq2slim.inference.search import make_search
from seq2slim.runs.runner import Context
from seq2slim.runs.stage import identity
from seq2slim.stages.decode import Decode, Join, verify_decoded
from seq2slim.stages.relabel import HeldOut, RelabelledText
from tests.support.distilling import SEARCH

FILES = (teacher_corpus.N_BEST, teacher_corpus.TARGET, teacher_corpus.MANIFEST)


class TestDecode:
    def test_it_is_what_a_search_in_memory_finds(self, runner, text, teacher, decoded):
        model, split = load_model(runner.run_dir(teacher)), text_files.tokenised(runner.run_dir(text))["train"]
        vocabulary = text_files.vocabularies(runner.run_dir(text))[1]
        batches = batching.evaluation_batches(split, batching.BatchConfig(4, True), targets=False)
        found = dict(read_n_best(runner.run_dir(decoded) / teacher_corpus.N_BEST))
        assert sorted(found) == [line for line in range(23) if line not in (3, 8)]
        for line, _, result in search_lines(make_search(model, SEARCH), batches):
            assert len(found[line]) == 3
            for rank, hypothesis in enumerate(found[line]):
                words = result.tokens[rank][: result.length[rank] - 1]
                assert hypothesis.text == vocabulary.decode(words)
                assert np.float32(hypothesis.log_prob) == result.log_prob[rank]
                assert hypothesis.length == result.length[rank]
        counts = runner.result(decoded)
        assert (counts["lines"], counts["decoded"], counts["hypotheses"]) == (23, 21, 63)
        assert counts["dropped"] == 2 + counts["empty"]

    @pytest.mark.parametrize("stop_after", [1, 4])
    def test_stopped_and_resumed_it_is_the_same_and_no_shard_is_made_twice(
        self, runner, decoded, monkeypatch, tmp_path, stop_after
    ):
        monkeypatch.setattr(decode, "SHARD_BATCHES", 1)
        whole, made = runner.run_dir(decoded), []
        write = teacher_corpus.write_shard
        monkeypatch.setattr(
            teacher_corpus, "write_shard", lambda path, *rest: (made.append(path.name), write(path, *rest))
        )
        context, scratch = Context(runner, decoded), tmp_path / "scratch"
        scratch.mkdir()
        stopping = _Stopping(context, scratch, lambda: len(made) == stop_after)
        with pytest.raises(StopRequested, match="are decoded and saved"):
            decoded.run(tmp_path, stopping)
        assert not (tmp_path / teacher_corpus.MANIFEST).exists()
        decoded.run(tmp_path, _Stopping(context, scratch, lambda: False))
        assert made == [f"shard-{index:06d}" for index in range(6)]
        for name in FILES:
            assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()

    def test_the_verifier_knows_its_teacher(self, runner, text, teacher, decoded):
        context, run_dir = Context(runner, decoded), runner.run_dir(decoded)
        assert verify_decoded(decoded, run_dir, context) == []
        other = replace(teacher, seed=2)
        runner.run(other)
        found = verify_decoded(Decode(text, (other,), SEARCH), run_dir, context)
        assert len(found) == 2
        assert identity(other) in found[0]
        assert "lines come out otherwise" in found[1]

    @pytest.mark.parametrize("options", [dict(teachers=()), dict(folds=2, fold=2), dict(folds=0)])
    def test_refusals(self, decoded, options):
        with pytest.raises(ValueError, match=r"teachers|fold"):
            replace(decoded, **options)


class _Stopping:
    """A context with a scratch folder of its own that asks to stop when `when()`."""

    def __init__(self, context, scratch, when):
        self._context, self._when = context, when
        self.scratch = lambda: scratch

    def __getattr__(self, name):
        return getattr(self._context, name)

    @property
    def stop_requested(self):
        return self._when()


def test_a_jackknife_joins_each_fold_decoded_by_its_own_teacher(runner, text, teacher):
    teachers = [replace(teacher, text=RelabelledText(HeldOut(text, 2, fold))) for fold in range(2)]
    parts = tuple(Decode(text, (own,), SEARCH, 2, fold) for fold, own in enumerate(teachers))
    joined = Join(parts)
    runner.run(joined)
    for fold, own in enumerate(teachers):
        seen = text_files.tokenised(runner.run_dir(own.text))["train"].lines
        assert sorted(seen) == [line for line in range(23) if line % 2 != fold and line not in (3, 8)]
    run_dirs = [runner.run_dir(part) for part in parts]
    n_best = [dict(read_n_best(run_dir / teacher_corpus.N_BEST)) for run_dir in run_dirs]
    assert list(read_n_best(runner.run_dir(joined) / teacher_corpus.N_BEST)) == sorted((n_best[0] | n_best[1]).items())
    lines = [(run_dir / teacher_corpus.TARGET).read_text().splitlines() for run_dir in run_dirs]
    expected = [lines[line % 2][line] for line in range(23)]
    assert (runner.run_dir(joined) / teacher_corpus.TARGET).read_text().splitlines() == expected
    assert runner.result(parts[0])["dropped"] == 1 + runner.result(parts[0])["empty"]  # line 8; line 3 is not asked for
    manifest = teacher_corpus.read_manifest(runner.run_dir(joined))
    assert (manifest["folds"], manifest["teachers"]) == (2, [identity(own) for own in teachers])
    with pytest.raises(ValueError, match="all folds"):
        Join(parts[:1])
