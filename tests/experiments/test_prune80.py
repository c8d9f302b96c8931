"""prune80, run once on the toy: its rows are recomputed from the files that it leaves."""

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
from seq2slim.errors import UserError
from seq2slim.models import Seq2SeqConfig
from seq2slim.recipes import RECIPES
from seq2slim.runs import results
from seq2slim.runs.runner import RunOptions
from seq2slim.special_ids import BOS, EOS
from seq2slim.training.checkpoints import Checkpoints
from seq2slim.training.config import PruningConfig, total_steps
from seq2slim.training.learning_rates import halving_steps
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


class TestOnTheWay:
    CONFIG = prune80.Config("small", RECIPES["small"], CorpusConfig("reverse"), method="gradual", sparsity=0.9)

    def test_both_models_take_the_steps_of_training_and_retraining(self):
        models, evaluated, compared = prune80.stages(self.CONFIG)
        assert list(models) == ["control", "gradual 90%"]
        control, pruned = models.values()
        recipe = RECIPES["small"]
        once = prune80.stages(replace(self.CONFIG, method="one_shot"))[0]
        for spe in (1, 453):
            both = total_steps(recipe.training, spe) + total_steps(recipe.retraining, spe)
            assert total_steps(control.training, spe) == total_steps(pruned.training, spe) == both
        assert (control.text, control.model, control.seed) == (pruned.text, pruned.model, pruned.seed)
        assert (control.text, control.model, control.seed) == tuple(
            getattr(once["baseline"], name) for name in ("text", "model", "seed")
        )
        assert control.training == replace(recipe.training, epochs=14)
        assert pruned.training.pruning == PruningConfig("gradual", "class_blind", 0.9)
        same = replace(pruned.training, pruning=PruningConfig(), dropout_by_density=False)
        assert pruned.training.dropout_by_density
        assert same == control.training
        assert list(evaluated) == [("control", "test"), ("gradual 90%", "test")]
        assert list(compared) == [("gradual 90% - control", "test")]

    @staticmethod
    def trainings(settings, **changes):
        """(control, pruned on the way) of these settings."""
        config = prune80.Config("tiny", settings, CorpusConfig("reverse"), **({"method": "gradual"} | changes))
        return [model.training for model in prune80.stages(config)[0].values()]

    def test_when_is_an_option_of_the_settings_and_the_control_is_dense(self):
        settings = RECIPES["tiny"]
        when = PruningConfig(start=0.3, every=10)
        settings = replace(settings, training=replace(settings.training, pruning=when))
        control, pruned = self.trainings(settings)
        config = prune80.Config("tiny", settings, CorpusConfig("reverse"), method="gradual")
        assert prune80.group(prune80.one_shot(config)) == "reverse, recipe tiny, 80% class_blind, seed 1"
        assert control.pruning == PruningConfig()
        assert pruned.pruning == PruningConfig("gradual", "class_blind", 0.8, start=0.3, every=10)

    def test_halvings_come_at_the_same_fraction_of_a_longer_run(self):
        paper = RECIPES["see2016"]
        control, _ = self.trainings(paper)
        assert (paper.training.epochs, control.epochs) == (12, 16)

        def halved(training):
            steps = total_steps(training, 300)
            found = halving_steps(training.schedule, 300, steps)
            return found[found < steps] / steps

        np.testing.assert_allclose(halved(control), halved(paper.training), atol=1e-3)

    def test_steps_that_cannot_be_added_are_refused(self):
        tiny = RECIPES["tiny"]
        for changes in ({"batch_size": 8}, {"accumulate": 2}, {"max_steps": 9}):
            with pytest.raises(UserError, match="adds the epochs of training and retraining"):
                self.trainings(replace(tiny, retraining=replace(tiny.retraining, **changes)))

    @pytest.mark.parametrize("method", ["one_shot", "gradual"])
    @pytest.mark.parametrize("part", ["training", "retraining"])
    @pytest.mark.parametrize("pruning", [PruningConfig("iterative"), PruningConfig(sparsity=0.5)])
    def test_what_is_an_option_of_the_experiment_is_none_of_the_settings(self, method, part, pruning):
        tiny = RECIPES["tiny"]
        settings = replace(tiny, **{part: replace(getattr(tiny, part), pruning=pruning)})
        with pytest.raises(UserError, match=f"settings.{part}.pruning: give --method"):
            self.trainings(settings, method=method)


class TestGroup:
    def test_runs_that_differ_do_not_replace_each_other(self):
        base = prune80.Config()
        configs = [
            base, replace(base, method="gradual"), replace(base, method="iterative"),
            replace(base, seed=2), replace(base, scheme="class_uniform"), replace(base, title="another text"),
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
            prune80.Config(method="gradual", scheme="random", sparsity=0.9),
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
