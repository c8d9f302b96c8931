"""The report of kim2016 on made-up rows."""

import re

import pytest

from experiments.kim2016 import report as kim2016_report

DISTILLED = "Seq-KD + Seq-Inter"


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
        assert "Seq-KD, seed 3: with jackknifed teachers 35.25 greedy and 34.40 with a beam, with the one" in text
        assert "teacher 34.50 and 34.40" in text

    def test_points_of_the_figure(self):
        groups = kim2016_report.points(rows())
        assert groups["teacher"] == [("", 8000, 34.0)]
        assert groups["Seq-KD + Seq-Inter, pruned"] == [("80%", 400, 34.8)]
        assert {name for name, *_ in groups["student"]} == {"student", "Seq-KD", DISTILLED}
