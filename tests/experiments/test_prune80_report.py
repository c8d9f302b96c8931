"""The report of prune80 on made-up rows."""

import re
from dataclasses import replace

from experiments import prune80, prune80_report
from seq2slim.runs import results


def made_up(config, baseline="b1", beam=30.0):
    """Rows and series of one run of `config` as `prune80.main` lays them out; BLEU counts down from `beam`."""
    percent = f"{100 * config.sparsity:g}%"
    own = f"{config.recipe}{config.sparsity}{config.seed}".replace(".", "_")
    common = {
        "experiment": "prune80", "group": prune80.group(config), "seed": config.seed,
        "command": prune80.command(config), "split": "test",
    }  # fmt: skip
    identities = {"baseline": baseline, "control": f"c{own}", f"pruned {percent}": f"p{own}", "retrained": f"r{own}"}
    bleu = dict(zip(identities, (beam, beam + 0.5, beam - 20, beam + 0.25)))
    rows = [
        {
            **common, "identity": identity, "order": order, "label": label, "weights": 1000, "beam": 5,
            "non_zero": 1000 if label in ("baseline", "control") else round(1000 * (1 - config.sparsity)),
            "sparsity": 0.0 if label in ("baseline", "control") else config.sparsity, "perplexity": 5.0,
            "beam_bleu": bleu[label], "greedy_bleu": bleu[label] - 1, "signature": "tok:13a", "seconds": None,
        }
        for order, (label, identity) in enumerate(identities.items())
    ]  # fmt: skip
    rows += [
        {
            **common, "identity": f"{label}{own}", "order": 4 + order, "label": f"retrained - {label}",
            "baseline_bleu": bleu[label], "system_bleu": bleu["retrained"], "p_value": 0.25,
        }
        for order, label in enumerate(("baseline", "control"))
    ]  # fmt: skip
    curve = [(0, 9.0), (10, 3.0), (20, 2.0)]
    lines = {"baseline": curve, "control": [(0, 2.0), (5, 1.9)], "retrained": [(0, 4.0), (5, 2.1)]}
    series = {f"r{own}": {"validation_loss": {"group": prune80.group(config), "sparsity": config.sparsity, **lines}}}
    return rows, series


def made_up_on_the_way(config, beam, control):
    """Rows and series of a run that is pruned on the way, as `prune80.main` lays them out."""
    own = f"{config.method} {100 * config.sparsity:g}%"
    beside = prune80.group(replace(config, method="one_shot"))
    common = {
        "experiment": "prune80", "group": prune80.group(config), "seed": config.seed, "beside": beside,
        "command": prune80.command(config), "split": "test",
    }  # fmt: skip
    rows = [
        {
            **common, "identity": f"way{label}", "order": order, "label": label, "weights": 1000, "beam": 5,
            "non_zero": 200, "sparsity": 0.8, "perplexity": 5.0, "beam_bleu": bleu, "greedy_bleu": bleu - 1,
            "signature": "tok:13a", "seconds": 10,
        }
        for order, (label, bleu) in enumerate((("control", control), (own, beam)))
    ]  # fmt: skip
    rows.append(
        {**common, "identity": "way", "order": 2, "label": f"{own} - control", "baseline_bleu": control,
         "system_bleu": beam, "p_value": 0.25}
    )  # fmt: skip
    curves = {"control": [(0, 9.0), (10, 2.0)], own: [(0, 9.0), (10, 2.1)]}
    return rows, {"way": {"validation_loss": {"group": prune80.group(config), "sparsity": 0.8, **curves}}}


def sections(report):
    """Heading -> text below it."""
    parts = re.split(r"^## (.*)$", report, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


class TestReport:
    BASE = prune80.smoke(prune80.Config())

    def written(self, folder, *runs):
        """report.md after runs stored one after the other, and the names of the figures written."""
        for rows, series in runs:
            results.store(rows, series, folder)
        paths = prune80_report.write(*results.published(folder), folder, "A claim.")
        assert all(path.is_file() for path in paths)
        return (folder / "report.md").read_text(), sorted(path.name for path in paths[1:])

    def test_sparsities_that_share_a_baseline_and_seeds_stand_side_by_side(self, tmp_path):
        configs = [self.BASE, replace(self.BASE, sparsity=0.9), replace(self.BASE, seed=2)]
        runs = [made_up(configs[0]), made_up(configs[1], beam=30.0), made_up(configs[2], baseline="b2", beam=40.0)]
        report, figures = self.written(tmp_path, *runs)
        found = sections(report)
        assert set(found) == {prune80.group(config) for config in configs}
        for config in configs:
            text, beam = found[prune80.group(config)], 40.0 if config.seed == 2 else 30.0
            percent = f"{100 * config.sparsity:g}%"
            labels = re.findall(r"^\| ([a-z][^|]*?) +\|", text, flags=re.MULTILINE)
            shown = ["baseline", "control", f"pruned {percent}", "retrained"]
            assert labels == ["label", *shown, "label", "retrained - baseline", "retrained - control"]
            for label, bleu in zip(shown, (beam, beam + 0.5, beam - 20, beam + 0.25)):
                assert re.search(rf"^\| {label} +\| test .* {bleu:.2f} \| +- \|$", text, flags=re.MULTILINE), text
            # Against the baseline; and against the better of baseline and control, which here is the control.
            assert "pruned without retraining -20.00 BLEU" in text
            assert "retrained -0.25 against the better" in text
            assert re.search(r"retrained - baseline .* \+0\.25 \| +0\.250 \|", text)
            assert re.search(r"retrained - control .* -0\.25 \|", text)
            (figure,) = re.findall(r"\((loss-.*\.svg)\)", text)
            assert figure in figures
            assert prune80.command(config) in text
        assert len(figures) == 6

    def test_a_changed_recipe_leaves_nothing_of_the_old_one(self, tmp_path):
        old_rows, old_series = made_up(self.BASE)
        new_rows, new_series = made_up(self.BASE, baseline="other", beam=35.0)
        rename = {row["identity"]: row["identity"] + "x" for row in new_rows}
        new_rows = [row | {"identity": rename[row["identity"]]} for row in new_rows]
        new_series = {rename[owner]: own for owner, own in new_series.items()}
        other = made_up(replace(self.BASE, seed=2), baseline="b2", beam=40.0)
        report, figures = self.written(tmp_path, (old_rows, old_series), other, (new_rows, new_series))
        assert "30.00" not in sections(report)[prune80.group(self.BASE)]
        assert "35.00" in sections(report)[prune80.group(self.BASE)]
        assert "40.00" in sections(report)[prune80.group(replace(self.BASE, seed=2))]
        assert len(figures) == 4
        rows, series = results.published(tmp_path)
        assert {row["identity"] for row in rows}.isdisjoint(row["identity"] for row in old_rows)
        assert set(series) == {*new_series, *other[1]}

    def test_of_two_splits_each_has_its_line(self, tmp_path):
        rows, series = made_up(self.BASE)
        valid = [
            row | {"identity": f"v{row['identity']}", "split": "valid", "order": row["order"] + 10} for row in rows
        ]
        report, _ = self.written(tmp_path, (rows + valid, series))
        assert re.findall(r"^- (\w+): pruned", report, flags=re.MULTILINE) == ["test", "valid"]

    def test_a_run_pruned_on_the_way_is_held_to_the_better_control(self, tmp_path):
        """The one-shot run has a control of 30.5 and a retrained model of 30.25."""
        gradual = replace(self.BASE, method="gradual")
        one_shot = made_up(self.BASE)
        for number, (control, verdict) in enumerate(((30.2, "-0.30"), (30.9, "-0.70"))):
            name = "control" if control > 30.5 else "one-shot: control"
            own = made_up_on_the_way(gradual, 30.2, control)
            report, figures = self.written(tmp_path / str(number), one_shot, own)
            text = sections(report)[prune80.group(gradual)]
            labels = re.findall(r"^\| ([a-z][^|]*?) +\|", text, flags=re.MULTILINE)
            shown = ["control", "gradual 80%", "one-shot: control", "one-shot: retrained"]
            assert labels == ["label", *shown, "label", "gradual 80% - control"]
            assert f"gradual 80% {verdict} BLEU against the better control ({name}); -0.05 against one-shot" in text
            assert prune80.command(gradual) in text
            assert len(figures) == 4
            # What is said of the one-shot run does not change.
            alone, _ = self.written(tmp_path / f"alone{number}", one_shot)
            assert sections(report)[prune80.group(self.BASE)] == sections(alone)[prune80.group(self.BASE)]

    def test_a_run_pruned_on_the_way_stands_alone_too(self, tmp_path):
        gradual = replace(self.BASE, method="gradual")
        report, _ = self.written(tmp_path, made_up_on_the_way(gradual, 30.0, 31.0))
        assert "- test: gradual 80% -1.00 BLEU against the better control (control).\n" in report
