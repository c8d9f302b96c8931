"""A task of one class, from text to a model file: its pairs, constraint, text and scores are used at every place."""

import re

import numpy as np
import pytest

import seq2slim
from seq2slim import cli
from seq2slim.decoding.search_config import SearchConfig
from seq2slim.distillation import teacher_corpus
from seq2slim.distillation.n_best import read_n_best
from seq2slim.errors import UserError
from seq2slim.inference.distilled_text import distil_corpus
from seq2slim.inference.export import export
from seq2slim.inference.model_files import load_model
from seq2slim.models import ModelOptions
from seq2slim.runs.console import Console
from seq2slim.runs.runner import Context, Runner
from seq2slim.stages.decode import Decode
from seq2slim.stages.evaluate import BEAM, GREEDY, Compare, Evaluate
from seq2slim.stages.measure import Memorisation, Mode
from seq2slim.stages.prune import Prune
from seq2slim.stages.train import Retrain, Train
from seq2slim.tasks import TASKS
from seq2slim.training.checkpoints import Checkpoints
from seq2slim.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig
from seq2slim.training.metrics import read_metrics
from tests.support.reversing import Reversing, text_of

MARK = " ."  # ends every output, so that what is shown has gone through the task
SEARCH = SearchConfig(beam=3, batch_size=16)
TRAINING = TrainingConfig(
    max_steps=40,
    batch_size=16,
    shapes=1,
    optimizer=OptimizerConfig("adam", learning_rate=0.02),
    schedule=ScheduleConfig("constant"),
    evaluations_per_epoch=1,
    metric="valid_misplaced",
    keep="best",
)


class Marked(Reversing):
    """`Reversing` with a mark at the end of what it writes."""

    def text(self, *arguments):
        return super().text(*arguments) + MARK

    def scores(self, hypotheses, references, tokenize="13a"):
        assert all(line.endswith(MARK) for line in hypotheses)
        return super().scores([line.removesuffix(MARK) for line in hypotheses], references, tokenize)


@pytest.fixture(scope="module", autouse=True)
def registered():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, Reversing.name, Marked())
        yield


@pytest.fixture(scope="module")
def trained(registered, tmp_path_factory):
    """(runner, text, Train), trained on 64 lines for 10 epochs."""
    text = text_of(tmp_path_factory.mktemp("text"), train=64, valid=16)
    runner, stage = Runner(tmp_path_factory.mktemp("runs"), Console()), Train(text, ModelOptions("tiny"), TRAINING)
    runner.run(stage)
    return runner, text, stage


@pytest.fixture(scope="module")
def evaluated(trained):
    """The Evaluate stage of the trained model, finished."""
    runner, _, stage = trained
    runner.run(found := Evaluate(stage, search=SEARCH, train_sample=8))
    return found


def reordered(lines: list[str], sources: list[str]) -> bool:
    """Whether each line has the words of its source, and the mark."""
    return [sorted(line.split()) for line in lines] == [sorted((source + MARK).split()) for source in sources]


def test_the_best_validation_is_the_best_by_the_score_of_the_task(trained):
    """Lower is better for `misplaced`, and ties go to the first."""
    runner, _, stage = trained
    rows = [row for row in read_metrics(runner.run_dir(stage) / "metrics.jsonl") if "valid_misplaced" in row]
    values = [row["valid_misplaced"] for row in rows]
    assert len(rows) == 11
    assert len(set(values)) > 2
    assert Checkpoints(runner.run_dir(stage) / "saves").best() == rows[int(np.argmin(values))]["step"]
    assert all(row["valid_loss"] > 0 for row in rows)


def test_a_score_that_the_task_has_not_is_refused_before_any_work(trained):
    _, text, stage = trained
    for metric in ("valid_bleu", "valid_misplacd"):
        with pytest.raises(UserError, match="metric: got"):
            Train(text, training=TrainingConfig(metric=metric))
        with pytest.raises(UserError, match="metric: got"):
            Retrain(stage, TrainingConfig(metric=metric))


def test_outputs_obey_the_constraint_and_are_scored_by_the_task(trained, evaluated):
    runner, text, _ = trained
    row, sources = runner.result(evaluated), text.lines("test", 0)
    for name, file in (("greedy", GREEDY), ("beam", BEAM)):
        lines = (runner.run_dir(evaluated) / file).read_text().splitlines()
        assert reordered(lines, sources)
        right = np.mean([line == " ".join(reversed(source.split())) + MARK for line, source in zip(lines, sources)])
        assert row[f"{name}_exact_match"] == pytest.approx(100 * right, abs=0.05)
    assert row["signature"] == "reversing 1"
    assert not any("bleu" in column for column in row)


def test_what_stands_on_an_evaluation_has_the_scores_of_the_task(trained, evaluated):
    runner, _, stage = trained
    runner.run(compared := Compare(evaluated, evaluated, samples=9))
    row = runner.result(evaluated)
    assert runner.result(compared)["baseline_exact_match"] == row["beam_exact_match"]
    assert runner.result(compared)["p_value"] == 1
    runner.run(memory := Memorisation(stage, 8, SEARCH))
    assert {"train_exact_match", "valid_exact_match", "ratio"} <= runner.result(memory).keys()


def test_the_mass_of_all_that_the_constraint_allows_is_one(trained):
    """Three words have at most six orders, which fit the beam; without the constraint there would be others."""
    runner, _, stage = trained
    runner.run(mode := Mode(stage, search=SearchConfig(beam=6, batch_size=16)))
    assert runner.result(mode)["n_best_mass"] == pytest.approx(1, abs=1e-4)


def test_validations_are_shown_with_the_scores_of_the_task(trained, capsys):
    runner, _, stage = trained
    last = read_metrics(runner.run_dir(stage) / "metrics.jsonl")[-1]
    assert cli.main(["inspect", str(runner.run_dir(stage))]) == 0
    shown = capsys.readouterr().out
    assert f"valid_perplexity {last['valid_perplexity']:.5g}, valid_misplaced {last['valid_misplaced']:.5g}" in shown


def test_a_model_keeps_its_task_when_it_is_pruned_and_retrained(trained):
    runner, _, stage = trained
    pruned = Prune(stage, sparsity=0.2)
    retrained = Retrain(pruned, TrainingConfig(max_steps=1, batch_size=16, shapes=1, keep="last"))
    runner.run(retrained)
    assert [load_model(runner.run_dir(own)).task for own in (stage, pruned, retrained)] == ["reversing"] * 3


def test_a_teacher_s_corpus_is_made_under_the_constraint(trained):
    runner, text, stage = trained
    runner.run(decoded := Decode(text, (stage,), SEARCH))
    sources, found = text.lines("train", 0), 0
    for line, hypotheses in read_n_best(runner.run_dir(decoded) / teacher_corpus.N_BEST):
        assert reordered([own.text for own in hypotheses], [sources[line]] * len(hypotheses))
        found += 1
    assert found == 64


def test_a_text_file_is_read_by_the_task_of_its_teacher(trained, tmp_path):
    runner, _, stage = trained
    (tmp_path / "some.source").write_text("D A B\n\nc A\n")
    distil_corpus([runner.run_dir(stage)], tmp_path / "some.source", tmp_path, SEARCH, Context(runner, stage))
    sources, targets = ((tmp_path / f"pairs.{side}").read_text().splitlines() for side in ("source", "target"))
    assert sources == ["d a b", "c a"]
    assert reordered(targets, sources)


def test_the_model_file_translates_as_the_run_does(trained, tmp_path, capsys):
    runner, text, stage = trained
    run_dir, path = runner.run_dir(stage), tmp_path / "model.slim"
    export(run_dir, path)
    lines = ["D A B", "", "c A"]  # of any case: `source` reads them
    whole, run = seq2slim.load(path), seq2slim.load(run_dir)
    found = whole.translate(lines, beam=2)
    assert found == run.translate(lines, beam=2) == run.translate([line.lower() for line in lines], beam=2)
    assert reordered([found[0], found[2]], ["d a b", "c a"])
    assert found[1] == ""

    files = text.loaded().splits["test"]
    assert cli.main(["evaluate", "--model", str(path), "--test", *map(str, files), "--beam", "3"]) == 0
    shown = capsys.readouterr().out
    lines = whole.translate(text.lines("test", 0), beam=3)
    expected = Marked().scores(lines, text.lines("test", 1)).values["exact_match"]
    assert re.search(rf"^exact match beam 3 {expected:.2f}$", shown, re.MULTILINE)
    assert re.search(r"^misplaced greedy \d", shown, re.MULTILINE)
    assert re.search(r"^signature +reversing 1$", shown, re.MULTILINE)
