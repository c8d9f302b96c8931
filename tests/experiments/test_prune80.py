"""prune80, run once on the toy: what its rows, report and figure say is recomputed from the files that it leaves."""

import json
import math
import re
import shlex
import shutil
import time
from dataclasses import replace

import jax
import numpy as np
import pytest
import sacrebleu

from experiments import prune80
from seq2slim.cli.options import parse
from seq2slim.data.corpora import CorpusConfig
from seq2slim.data.vocabulary import Vocabulary
from seq2slim.models import Seq2SeqConfig
from seq2slim.recipes import RECIPES
from seq2slim.runs import results
from seq2slim.runs.runner import RunOptions
from seq2slim.special_ids import BOS, EOS
from seq2slim.training.checkpoints import Checkpoints
from tests.support.numpy_seq2seq import translate

LABELS = ["baseline", "control", "pruned 80%", "retrained"]


def params_of(smoke, label):
    """name -> array, as saved."""
    _, params = Checkpoints(smoke.run_dir(label) / "model").restore_item("params")
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(params)}


def corpus_lines(smoke, split):
    """(source lines, target lines)."""
    files = sorted((smoke.runs / "cache" / "reverse").rglob(f"{split}.*"))
    source, target = (next(path for path in files if path.suffix == suffix) for suffix in (".letters", ".reversed"))
    return source.read_text().splitlines(), target.read_text().splitlines()


class TestSmoke:
    def test_it_ends_well_and_shows_its_rows(self, smoke):
        assert smoke.code == 0, smoke.output
        assert list(smoke.models) == LABELS
        for label in LABELS:
            assert re.search(rf"│ {re.escape(label)} +│ test +│", smoke.output), smoke.output

    def test_rows_name_the_stages_that_yielded_them(self, smoke):
        for row in smoke.rows:
            kind = "evaluate" if "beam_bleu" in row else "compare"
            done = json.loads((smoke.runs / f"{kind}-{row['identity'][:16]}" / "done.json").read_text())
            assert done["identity"] == row["identity"]
            assert done["result"].items() <= row.items()
        assert len({row["identity"] for row in smoke.rows}) == 6

    def test_sizes_are_those_of_the_saved_parameters(self, smoke):
        for label, row in smoke.models.items():
            leaves = params_of(smoke, label).values()
            assert row["weights"] == sum(leaf.size for leaf in leaves)
            assert row["non_zero"] == sum((leaf != 0).sum() for leaf in leaves)
            expected = 0.8 if label in ("pruned 80%", "retrained") else 0.0
            assert row["sparsity"] == pytest.approx(expected, abs=1 / row["weights"])
            assert 1 - row["non_zero"] / row["weights"] == pytest.approx(expected, abs=1 / row["weights"])

    def test_pruning_takes_the_smallest_and_retraining_keeps_them_at_zero(self, smoke):
        baseline, pruned, retrained = (params_of(smoke, label) for label in ("baseline", "pruned 80%", "retrained"))
        kept = {name: leaf != 0 for name, leaf in pruned.items()}
        for name, leaf in baseline.items():
            np.testing.assert_array_equal(pruned[name], np.where(kept[name], leaf, 0))
            assert (retrained[name][~kept[name]] == 0).all()
            assert not np.signbit(retrained[name][~kept[name]]).any()
            assert (retrained[name] != leaf)[kept[name]].any()
        removed = np.concatenate([np.abs(leaf[~kept[name]]) for name, leaf in baseline.items()])
        stayed = np.concatenate([np.abs(leaf[kept[name]]) for name, leaf in baseline.items()])
        assert removed.max() <= stayed.min()  # over all classes together: class-blind

    def test_the_control_is_trained_on_exactly_as_the_pruned_model_is(self, smoke):
        stages = [json.loads((smoke.run_dir(label) / "done.json").read_text()) for label in ("control", "retrained")]
        control, retrained = (stage["options"] for stage in stages)
        assert stages[0]["result"]["steps"] == stages[1]["result"]["steps"] > 0
        assert control["training"] == retrained["training"]
        assert control["seed"] == retrained["seed"]
        assert control["parent"] == smoke.run_dir("baseline").name
        assert retrained["parent"] == smoke.run_dir("pruned 80%").name

    @pytest.mark.parametrize("kind", ["greedy", "beam"])
    def test_bleu_is_that_of_the_translations_on_disk(self, smoke, kind):
        _, references = corpus_lines(smoke, "test")
        for label, row in smoke.models.items():
            lines = (smoke.evaluation(label) / f"{kind}.txt").read_text().splitlines()
            bleu = sacrebleu.metrics.BLEU(force=True)
            score = bleu.corpus_score(lines, [references])
            assert row["sentences"] == len(lines) == 200
            assert row[f"{kind}_bleu"] == pytest.approx(score.score, abs=0.005)
            assert row[f"{kind}_length_ratio"] == pytest.approx(score.ratio, abs=0.0005)
            assert row["signature"] == str(bleu.get_signature())
        assert smoke.models["baseline"][f"{kind}_bleu"] > smoke.models["pruned 80%"][f"{kind}_bleu"] + 2

    @pytest.mark.parametrize(
        ("label", "column", "split"),
        [
            ("baseline", "perplexity", "test"),
            ("pruned 80%", "perplexity", "test"),
            ("retrained", "valid_perplexity", "valid"),
            ("retrained", "train_perplexity", "train"),
        ],
    )
    def test_perplexities_are_those_of_a_plain_loop(self, smoke, label, column, split):
        run_dir = smoke.run_dir(label)
        facts = json.loads((run_dir / "model.json").read_text())
        _, params = Checkpoints(run_dir / "model").restore_item("params")
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
        vocabularies = [Vocabulary.load(run_dir / f"{side}.vocabulary") for side in ("source", "target")]
        pairs = list(zip(*corpus_lines(smoke, split)))
        if split == "train":
            pairs = [pairs[row] for row in np.random.default_rng(0).permutation(len(pairs))[:1000]]
        nll, tokens = 0.0, 0
        for pair in pairs:
            source, target = (vocabulary.encode(line) for vocabulary, line in zip(vocabularies, pair))
            assert facts["reverse_source"]
            logits, _ = translate(params, Seq2SeqConfig(**facts["config"]), source[::-1], [BOS, *target])
            log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            nll -= log_probs[np.arange(len(target) + 1), [*target, EOS]].sum()
            tokens += len(target) + 1
        assert smoke.models[label][column] == pytest.approx(math.exp(nll / tokens), rel=1e-4, abs=6e-5)

    def test_comparisons_are_of_the_rows(self, smoke):
        compared = {row["label"]: row for row in smoke.rows if "p_value" in row}
        assert list(compared) == ["retrained - baseline", "retrained - control"]
        for label, row in compared.items():
            assert row["baseline_bleu"] == smoke.models[label.removeprefix("retrained - ")]["beam_bleu"]
            assert row["system_bleu"] == smoke.models["retrained"]["beam_bleu"]

    def test_report_and_figure_are_there(self, smoke):
        report = (smoke.results / "report.md").read_text()
        for label, row in smoke.models.items():
            (line,) = re.findall(rf"^\| {label} +\| test .*$", report, flags=re.MULTILINE)
            assert f" {row['non_zero']:,} " in line
            assert f" {row['beam_bleu']:.2f} " in line
        (figure,) = re.findall(r"!\[validation loss\]\((.*)\.svg\)", report)
        assert b"<svg" in (smoke.results / f"{figure}.svg").read_bytes()
        assert (smoke.results / f"{figure}.png").read_bytes().startswith(b"\x89PNG")

    def test_it_cannot_be_published(self, smoke, tmp_path):
        assert all(row["smoke"] is True for row in smoke.rows)
        with pytest.raises(ValueError, match="SMOKE rows are never published"):
            results.publish(*results.published(smoke.results), tmp_path / "published")
        assert not (tmp_path / "published").exists()


class TestAgain:
    def test_a_second_run_only_reports(self, smoke):
        def done():
            return {path: path.stat().st_mtime_ns for path in smoke.runs.glob("*/done.json")}

        before, report = done(), (smoke.results / "report.md").read_bytes()
        figures = {path: path.read_bytes() for path in smoke.results.glob("loss-*")}
        start = time.monotonic()
        again = smoke.again()
        assert again.code == 0, again.output
        assert time.monotonic() - start < 30  # a few seconds, on a busy machine too
        assert "Plan" not in again.output
        assert "finished" not in again.output
        assert len(before) == 11
        assert done() == before
        assert (smoke.results / "report.md").read_bytes() == report
        assert figures == {path: path.read_bytes() for path in smoke.results.glob("loss-*")}

    def test_a_deleted_model_is_made_again_alone(self, smoke, tmp_path):
        copy = smoke.copy(tmp_path / "runs")
        shutil.rmtree(copy.run_dir("baseline"))
        again = copy.again()
        assert again.code == 0, again.output
        assert re.findall(r"(\S+): (?:resumed, )?finished in", again.output) == [smoke.run_dir("baseline").name]
        before, after = params_of(smoke, "baseline"), params_of(copy, "baseline")
        assert before.keys() == after.keys()
        for name, leaf in before.items():
            np.testing.assert_array_equal(after[name], leaf)
        assert [row | {"seconds": 0} for row in copy.rows] == [row | {"seconds": 0} for row in smoke.rows]


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
        paths = prune80.write_report(*results.published(folder), folder)
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


class TestGroup:
    def test_runs_that_differ_do_not_replace_each_other(self):
        base = prune80.Config()
        configs = [
            base, replace(base, seed=2), replace(base, scheme="class_uniform"), replace(base, title="another text"),
            replace(base, sparsity=0.9), replace(base, sparsity=0.9025), replace(base, sparsity=0.895),
            replace(base, recipe="small", settings=RECIPES["small"]), replace(base, settings=RECIPES["small"]),
            replace(base, corpus=CorpusConfig("bible-en-fr")), replace(base, corpus=CorpusConfig("tfds:x")),
            replace(base, corpus=CorpusConfig("tfds:x", languages=("de", "en"))),
            replace(base, corpus=CorpusConfig("text", *(("a/en", "a/de"),) * 3)),
            replace(base, corpus=CorpusConfig("text", *(("b/en", "b/de"),) * 3)),
        ]  # fmt: skip
        assert len({prune80.group(config) for config in configs}) == len(configs)


class TestCommand:
    @pytest.mark.parametrize(
        "config",
        [
            prune80.Config(),
            prune80.Config("base", RECIPES["base"], seed=3, splits=("valid", "test"), tokenize="none"),
            prune80.Config(scheme="class_distribution", sparsity=0.55, corpus=CorpusConfig("bible-en-fr")),
            prune80.Config(corpus=CorpusConfig("tfds:wmt14_translate/de-en", languages=("en", "de"))),
            prune80.Config(
                "small",
                RECIPES["small"],
                CorpusConfig("text", *((f"{split}.source", f"{split}.target") for split in ("train", "valid", "test"))),
                title="Multi30k en-de",
            ),
            prune80.Config(
                "base",
                replace(
                    RECIPES["base"],
                    reverse_source=True,
                    max_length=30,
                    training=replace(RECIPES["base"].training, epochs=3),
                    vocabulary=replace(RECIPES["base"].vocabulary, joint=True, source_size=0),
                ),
            ),
        ],
    )
    def test_what_the_report_says_to_type_is_the_run(self, config):
        make, target, experiment, arguments = shlex.split(prune80.command(config))
        assert (make, target, experiment) == ("make", "experiment", "EXP=prune80")
        typed = shlex.split(arguments.removeprefix("ARGS="))  # as the shell that make calls splits them
        assert parse("run prune80", prune80.__doc__, typed, RunOptions(), prune80.start(typed)) == (
            RunOptions(),
            config,
        )
