"""kim2016: its rows are the paper's compositions, and its report says what its rows say."""

import re
import shlex
from dataclasses import replace

import pytest

from experiments.kim2016 import kim2016
from experiments.kim2016 import report as kim2016_report
from seq2slim.cli.options import parse
from seq2slim.recipes.distillation import DISTILLATION_RECIPES, equal_size, weights_of
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


def test_the_student_is_at_most_a_quarter_of_its_teacher_and_the_small_one_a_fifth_of_it():
    # The paper's own student is only 2.6 times smaller (221 / 84.8), and that of the toy 3.8 times.
    for name, times in (("base", 4), ("kim2016", 2.6), ("tiny", 3.5)):
        recipe = DISTILLATION_RECIPES[name]
        words = recipe.teacher.vocabulary
        teacher, student = (weights_of(options, words) for options in (recipe.teacher.model, recipe.student))
        assert student <= teacher / times
    recipe = DISTILLATION_RECIPES["base"]
    words = recipe.teacher.vocabulary
    assert (words.source_size, words.size) == (8000, 4000)
    student = weights_of(recipe.student, words)
    assert student - weights_of(recipe.student, replace(words, source_size=7000)) == 1000 * 120  # both sides count
    found = equal_size(recipe.student, round(0.2 * student), words)
    wider = replace(found, units=found.units + 2)
    assert weights_of(found, words) <= round(0.2 * student) < weights_of(wider, words)


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


def rows(**changes):
    """Made-up rows of a run, two seeds of the main students; `changes` are greedy BLEU by label."""
    bleu = {"teacher": (34, 36), "student": (30, 32), "Seq-KD": (34, 34.4), DISTILLED: (35, 35.2)}
    bleu["pruned 80%"] = (34.8, 35)
    memory = {"memory_train_bleu": 60.0, "memory_valid_bleu": 36.0, "memory_ratio": 1.667}
    common = {"group": "toy", "beam": 5, "mode": 0.01, "n_best_mass": 0.02, "mode_beam": 5, "signature": "tok:13a"}
    common |= {"told_lines": 1000, "told_cut": 12, "inter_beam": 10}
    common |= {"command": "make experiment", "perplexity": 5.0, "beam_rate": 40.0, **memory}
    found = []
    for order, (name, (greedy, beam)) in enumerate(bleu.items()):
        seeds = (-0.5, 0.5) if name in ("student", "Seq-KD", DISTILLED) else (0.0,)
        own = common | {
            "label": name,
            "order": order,
            "beam_bleu": beam,
            "weights": 8000 if name == "teacher" else 2000,
            "non_zero": {"teacher": 8000, "pruned 80%": 400}.get(name, 2000),
            "greedy_rate": 100.0 if name == "teacher" else 300.0,
        }
        for seed, shift in enumerate(seeds, start=1 if name == "teacher" else 2):
            best = changes.get(name, greedy) + shift
            found.append(own | {"seed": seed, "identity": f"{order}{seed}", "greedy_bleu": best})
    return found


class TestReport:
    def test_means_and_differences(self):
        found = {row["label"]: row for row in kim2016_report.with_differences(rows())}
        assert found["student"]["greedy_bleu"] == pytest.approx(30)
        assert found["student"]["seeds"] == 2
        assert found[DISTILLED]["greedy_difference"] == pytest.approx(5)
        assert found[DISTILLED]["beam_difference"] == pytest.approx(3.2)
        assert found["teacher"]["greedy_difference"] == pytest.approx(4)
        assert (found["teacher"]["ratio"], found["pruned 80%"]["ratio"]) == (1, 20)
        single = next(row for row in rows() if row["label"] == "student" and row["seed"] == 3)
        alone = kim2016_report.with_differences([*rows(), single | {"label": "Word-KD", "greedy_bleu": 31.0}])
        (row,) = (row for row in alone if row["label"] == "Word-KD")
        assert row["greedy_difference"] == pytest.approx(0.5)  # to the baseline of its seed, 30.5
        assert found["student"]["greedy_deviation"] == pytest.approx(0.5**0.5)

    def test_claims_hold_or_do_not(self):
        text = "".join(kim2016_report.claims(rows()))
        assert text.count(" - holds.") == 7
        lucky = rows()[1] | {"label": "Word-KD", "greedy_bleu": 99.0}
        assert "".join(kim2016_report.claims([*rows(), lucky])) == text  # one seed, where the baseline has two
        assert "5.00 (at least 1)" in text  # 35 - 30
        assert "3.00 (at least 0)" in text  # 35 - 32
        assert "-1.00 (at least -1)" in text  # 35 - 36
        assert "7.50 (at least 5)" in text  # 300 / 40
        assert "20.00 (at least 13)" in text
        assert "it was pruned from, greedy: 0.30 (at least -0.5) - holds" in text  # 34.8, and 34.5 of its own seed
        assert "trained on" not in text
        worse = kim2016_report.claims(rows(**{"pruned 80%": 33.9}))
        assert "it was pruned from, greedy: -0.60 (at least -0.5) - does not hold" in "".join(worse)
        longer = rows()[-1] | {"label": "pruned 0%", "greedy_bleu": 35.4, "beam_bleu": 35.5}
        last = "".join(kim2016_report.claims([*rows(), longer])[-2:])
        assert "trained on for as long, greedy: -0.60 (at least -0.5) - does not hold" in last
        assert "trained on for as long, with a beam: -0.50 (at least -0.5) - holds" in last

    def test_the_report_and_its_figure(self, tmp_path):
        report, *figures = kim2016_report.write(rows(), tmp_path, "A claim.")
        text = report.read_text()
        assert "remembers them: compare with --jackknife" in text
        assert re.search(
            r"^\| Seq-KD \+ Seq-Inter +\| +2 \| +2,000 \| +2,000 \| +4.0 \| +35.00 \| +\+5.00 ", text, re.MULTILINE
        )
        assert [path.suffix for path in figures] == [".svg", ".png"]
        assert figures[0].name in text
        assert b"<svg" in figures[0].read_bytes()

    def test_jackknifed_students_are_compared_seed_to_seed(self):
        assert kim2016_report.jackknife_lines(rows()) == ""
        own = next(row for row in rows() if row["label"] == "Seq-KD" and row["seed"] == 3)
        text = kim2016_report.jackknife_lines([*rows(), own | {"label": "Seq-KD, jackknifed", "greedy_bleu": 35.25}])
        assert "Seq-KD, seed 3: told by jackknifed teachers 35.25 greedy and 34.40 with a beam, by the one" in text
        assert "of all 34.50 and 34.40" in text

    def test_points_of_the_figure(self):
        groups = kim2016_report.points(rows())
        assert groups["teacher"] == [("", 8000, 34.0)]
        assert groups["Seq-KD + Seq-Inter, pruned"] == [("80%", 400, 34.8)]
        assert {name for name, *_ in groups["student"]} == {"student", "Seq-KD", DISTILLED}


@pytest.mark.slow
def test_the_smoke_run_ends_well(smoke):
    done = smoke.again("kim2016")
    assert done.code == 0, done.output
    assert "kim2016/report.md" in done.output
