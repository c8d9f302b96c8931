"""The models of kim2016 are the paper's compositions, and the command that it prints is the run."""

import shlex
from dataclasses import replace

import pytest

from experiments.kim2016 import kim2016
from seq2slim.cli.options import parse
from seq2slim.recipes.distillation import DISTILLATION_RECIPES
from seq2slim.runs.runner import RunOptions
from seq2slim.runs.stage import parents
from seq2slim.stages.decode import Decode, Join
from seq2slim.stages.prune import Prune
from seq2slim.stages.relabel import Select
from seq2slim.stages.text import Text
from seq2slim.stages.words import StoreWords

TOY = kim2016.smoke(kim2016.Config())


DISTILLED = "Seq-KD + Seq-Inter"


@pytest.fixture(scope="module")
def made():
    return kim2016.models(replace(TOY, seeds=2, jackknife=2))


def label(models, name):
    return next(model for (own, _), model in models.items() if own == name)


class TestRows:
    def test_they_are_those_of_the_papers_table(self, made):
        assert {name for name, _ in made} == {
            "teacher", "teacher + Seq-Inter", "student", "Word-KD", "Seq-KD", "student + Seq-Inter",
            "Word-KD + Seq-Inter", DISTILLED, "Seq-KD + Word-KD", "Seq-KD + Seq-Inter + Word-KD", "pruned 0%",
            "pruned 80%", "dense, as small as pruned 80%", "Seq-KD, jackknifed", "Seq-KD + Seq-Inter, jackknifed",
        }  # fmt: skip
        assert [seed for name, seed in made if name == "Seq-KD"] == [2, 3]
        assert [seed for name, seed in made if name == "Word-KD"] == [2]

    @pytest.mark.parametrize(
        ("name", "seq", "word", "inter"),
        [
            ("student", 0, 0, 0), ("Word-KD", 0, 1, 0), ("Seq-KD", 1, 0, 0), ("student + Seq-Inter", 0, 0, 1),
            ("Word-KD + Seq-Inter", 0, 1, 1), (DISTILLED, 1, 0, 1), ("Seq-KD + Word-KD", 1, 1, 0),
            ("Seq-KD + Seq-Inter + Word-KD", 1, 1, 1),
        ],
    )  # fmt: skip
    def test_each_is_its_composition(self, made, name, seq, word, inter):
        model = label(made, name)
        if inter:
            assert isinstance(model.on.targets, Select)
            assert model.on.targets.n_best.search.beam == TOY.settings.inter_beam
            assert bool(model.teachers) == (name.count("+") == 2)  # all three: the mixture in both
            model = model.parent
        assert bool(model.teachers) == bool(word)
        assert isinstance(model.text, Text) != bool(seq)
        if seq:
            assert isinstance(model.text.targets, Decode)
            assert model.text.targets.search.beam == 5
        assert model.model == TOY.settings.student
        assert model.seed == 2

    def test_pruned_students_are_retrained_on_seq_kd_and_then_on_seq_inter(self, made):
        tuned = label(made, "pruned 80%")
        retrained, pruned = tuned.parent, tuned.parent.parent
        assert isinstance(pruned, Prune)
        assert (pruned.scheme, pruned.sparsity, pruned.parent) == ("class_blind", 0.8, label(made, DISTILLED))
        assert retrained.text == label(made, "Seq-KD").text
        assert tuned.text == label(made, DISTILLED).text

    def test_students_are_chosen_by_bleu(self, made):
        for (name, _), model in made.items():
            if name != "teacher":
                assert (model.training.metric, model.training.keep) == ("valid_bleu", "best")

    def test_a_jackknifed_teacher_has_not_seen_what_it_decodes(self, made):
        joined = label(made, "Seq-KD, jackknifed").text.targets
        assert isinstance(joined, Join)
        for fold, part in enumerate(joined.parts):
            (teacher,) = part.teachers
            held = teacher.text.targets
            assert (part.folds, part.fold) == (held.folds, held.fold) == (2, fold)
            assert replace(teacher, text=part.text) == label(made, "teacher")  # else the same teacher

    def test_stored_words_are_of_the_text_they_teach(self):
        made = kim2016.models(replace(TOY, top_k=3))
        for name in ("Word-KD", "Seq-KD + Word-KD", "Seq-KD + Seq-Inter + Word-KD"):
            model = label(made, name)
            (store,) = model.teachers
            assert isinstance(store, StoreWords)
            assert (store.k, store.text) == (3, model.text)

    def test_main_rows_alone(self):
        made = kim2016.models(replace(TOY, rows="main", seeds=3))
        assert len(made) == 1 + 3 * 3
        pruned = kim2016.models(replace(TOY, rows="pruned", seeds=3, sparsities=(0.0, 0.8)))
        every = kim2016.models(replace(TOY, seeds=3, sparsities=(0.0, 0.8)))
        assert pruned == made | {key: every[key] for key in (("pruned 0%", 2), ("pruned 80%", 2))}
        decodes = {stage for model in made.values() for stage in ancestors(model) if isinstance(stage, Decode)}
        assert len(decodes) == 2


def ancestors(stage):
    for parent in parents(stage):
        yield parent
        yield from ancestors(parent)


@pytest.mark.parametrize(
    "config",
    [
        kim2016.Config(),
        kim2016.Config("tiny", DISTILLATION_RECIPES["tiny"], rows="main", seeds=1, jackknife=4, title="Multi30k en-de"),
        kim2016.Config(sparsities=(0.5,), top_k=8, smoothing="sacrebleu", tokenize="none", split="valid", seed=4),
        kim2016.Config(settings=replace(DISTILLATION_RECIPES["base"], inter_beam=10)),
    ],
)
def test_what_the_report_says_to_type_is_the_run(config):
    _, _, _, arguments = shlex.split(kim2016.command(config))
    typed = shlex.split(arguments.removeprefix("ARGS="))
    parsed = parse("run kim2016", kim2016.__doc__, typed, RunOptions(), kim2016.start(typed))
    assert parsed == (RunOptions(), config)


@pytest.mark.slow
def test_the_smoke_run_ends_well(smoke):
    done = smoke.again("kim2016")
    assert done.code == 0, done.output
    assert "kim2016/report.md" in done.output
