"""`train`, `prune`, `retrain`, `evaluate`, `inspect` typed one after the other, and their help."""

import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from experiments import prune80
from experiments.see2016 import study
from seq2slim import cli
from seq2slim.cli.experiments import find_experiments
from seq2slim.cli.options import SCREEN, typed
from seq2slim.cli.program import COMMANDS
from seq2slim.cli.runs import find_run
from seq2slim.cli.train import Options
from seq2slim.inference.model_files import load_model
from seq2slim.recipes import RECIPES


def last_line(done) -> str:
    return done.stdout.decode().splitlines()[-1]


def test_train_prune_retrain_make_the_runs_that_an_experiment_makes(toy):
    """The same options are the same run: everything is found finished, and the last line is fit for --run."""
    folder = toy.runs.parent
    done = toy.type("train", "--recipe", "tiny", "--corpus.name", "reverse", "-o", "first")
    assert last_line(done) == "first"
    assert (folder / "first").resolve() == toy.run_dirs["baseline"].resolve()
    pruned = last_line(toy.type("prune", "--run", "first"))
    assert (folder / pruned).resolve() == toy.run_dirs["pruned 80%"].resolve()
    retrained = last_line(toy.type("retrain", "--run", pruned))
    assert (folder / retrained).resolve() == toy.run_dirs["retrained"].resolve()
    # By its name alone, and of a dense model: the control.
    assert (folder / last_line(toy.type("retrain", "--run", toy.run_dirs["baseline"].name))).resolve() == toy.run_dirs[
        "control"
    ].resolve()


def test_options_are_taken_and_pruned_weights_stay_at_zero(toy):
    words = ["--scheme", "class_uniform", "--sparsity", 0.3]
    pruned = last_line(toy.type("prune", "--run", toy.run_dirs["baseline"], *words))
    retrained = last_line(toy.type("retrain", "--run", pruned, "--training.max-steps", 3, "--seed", 7))
    before, after = (load_model(toy.runs.parent / run_dir) for run_dir in (pruned, retrained))
    kernels = [model.params["decoder"]["layer_1"]["kernel"] for model in (before, after)]
    assert np.mean(np.asarray(kernels[0]) == 0) == pytest.approx(0.3, abs=1e-3)
    assert ((np.asarray(kernels[1]) == 0) == (np.asarray(kernels[0]) == 0)).all()
    assert (np.asarray(kernels[1]) != np.asarray(kernels[0])).any()
    shown = toy.type("inspect", retrained).stdout.decode()
    assert "max_steps 3" in shown
    assert "seed = 7" in shown
    assert re.search(r"attention +4,608 +3,22\d +(29\.9|30\.0)\d%", shown)


def test_evaluate_says_what_the_experiment_says(toy, smoke):
    files = [toy.runs / "cache" / "reverse" / f"test.{side}" for side in ("letters", "reversed")]
    row = smoke.models["retrained"]
    shown = toy.type("evaluate", "--run", toy.run_dirs["retrained"], "--test", *files).stdout.decode()
    said = dict(re.split(r"  +", line, maxsplit=1) for line in shown.splitlines() if "  " in line)
    assert said["BLEU greedy"] == f"{row['greedy_bleu']:.2f}"
    assert said["BLEU beam 5"] == f"{row['beam_bleu']:.2f}"
    assert said["signature"] == row["signature"]
    assert said["perplexity"].startswith(f"{row['perplexity']:.2f} of ")
    assert f"sparsity {row['sparsity']:.1%}" in said["weights"]
    toy.type("export", toy.run_dirs["retrained"], "-o", "whole.slim")
    assert toy.type("evaluate", "--model", "whole.slim", "--test", *files).stdout.decode() == shown


def test_evaluate_needs_parallel_files(toy, tmp_path, capsys):
    (tmp_path / "one").write_text("a\n")
    (tmp_path / "two").write_text("a\nb\n")
    paths = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert cli.main(["evaluate", "--run", str(toy.run_dirs["baseline"]), "--test", *paths]) == 2
    assert "has 1 lines and" in capsys.readouterr().err


def test_evaluate_takes_its_options_and_refuses_them_before_the_work(toy, tmp_path, capsys, monkeypatch):
    paths = [tmp_path / side for side in ("source", "reference")]
    for path, side in zip(paths, ("letters", "reversed")):
        path.write_text("".join(f"{line}\n" for line in toy.lines("test", side)[:8]))
    command = ["evaluate", "--run", str(toy.run_dirs["retrained"]), "--test", *map(str, paths)]
    assert cli.main([*command, "--beam", "2", "--tokenize", "none", "--replace-unknown", "copy"]) == 0
    shown = capsys.readouterr().out
    found = re.findall(r"BLEU (greedy|beam 2) +([\d.]+)", shown)
    assert [name for name, _ in found] == ["greedy", "beam 2"]
    assert "|tok:none|" in shown

    monkeypatch.setattr("seq2slim.cli.evaluate.chosen", lambda *_: pytest.fail("the model was loaded"))
    assert cli.main([*command, "--tokenize", "13b"]) == 2
    assert "tokenize must be one of" in capsys.readouterr().err


def test_inspect_shows_lineage_metrics_and_weights(toy, capsys):
    assert cli.main(["inspect", str(toy.run_dirs["retrained"])]) == 0
    shown = capsys.readouterr().out
    names = [toy.run_dirs[label].name for label in ("baseline", "pruned 80%", "retrained")]
    places = [shown.index(f"\n  {name}\n") for name in names]
    assert places == sorted(places)
    model = load_model(toy.run_dirs["retrained"])
    leaf = np.asarray(model.params["softmax"]["kernel"])
    assert re.search(rf"softmax +{leaf.size:,} +{np.count_nonzero(leaf):,} ", shown)
    last = json.loads((toy.run_dirs["retrained"] / "metrics.jsonl").read_text().splitlines()[-1])
    assert f"step {last['step']}, valid_loss {last['valid_loss']:.5g}" in shown


@pytest.mark.parametrize(
    "words", [*([command] for command in COMMANDS), *(["run", name] for name in find_experiments())]
)
def test_help_fits_a_screen(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with contextlib.suppress(SystemExit):
        assert cli.main([*words, "--help"]) == 0
    page = capsys.readouterr().out.splitlines()
    assert page[0].startswith(f"usage: python -m seq2slim {words[0]}")
    assert len(page) <= SCREEN
    assert not any("None" in line for line in page)
    if words[0] != "run":  # commands in an experiment's own docstring are shown as they are
        assert max(map(len, page)) <= 80


def test_all_help_shows_the_groups(capsys):
    for asked, shown in (("--help", False), ("--help-all", True)):
        with pytest.raises(SystemExit):
            cli.main(["train", "--recipe", "small", asked])
        page = capsys.readouterr().out
        assert ("--training.optimizer.learning-rate" in page) == shown
        assert "--recipe" in page
        assert "--training.*" in page or shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trian"], "did you mean 'train'?"),
        (["train", "--recip", "tiny"], "--recipe"),
        (["train", "--recipe", "tiny", "--corpus.name", "revers"], "did you mean 'reverse'?"),
        (["train", "--link", "README.md"], "something of that name already"),
        (["translate", "--run", "runs/nothing"], "no run runs/nothing"),
        (["prune", "--run", "BASELINE", "--scheme", "class_blnd"], "class_blind"),
        (["prune", "--run", "TYPO"], "did you mean 'BASELINE'?"),
        (["translate", "--run", "TEXT"], "is a run of text, which has no model"),
    ],
)
def test_a_mistake_is_answered_with_what_is_right(toy, words, told, capsys, monkeypatch):
    baseline = toy.run_dirs["baseline"]
    monkeypatch.setenv("SEQ2SLIM_RUNS", str(toy.runs))
    names = {
        "BASELINE": str(baseline),
        "TYPO": baseline.name[:-1],
        "TEXT": next(path.name for path in toy.runs.glob("text-*")),
    }
    try:
        code = cli.main([names.get(word, word) for word in words])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    assert told.replace("BASELINE", baseline.name) in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_run_is_found_from_inside_its_folder(toy, capsys, monkeypatch):
    run_dir = toy.run_dirs["pruned 80%"]
    monkeypatch.chdir(run_dir)
    assert find_run(Path(".")) == run_dir.resolve()
    assert cli.main(["inspect", "."]) == 0
    assert f"  {run_dir.name}\n" in capsys.readouterr().out
    assert cli.main(["prune", "--run", str(toy.run_dirs["baseline"])]) == 0
    assert Path(capsys.readouterr().out.splitlines()[-1]).resolve() == run_dir.resolve()


def test_of_an_option_typed_twice_the_last_counts():
    """As in what tyro then parses; the defaults must not be those of another recipe."""
    words = ["--recipe", "quick", "--seed=2", "--recipe=tiny"]
    assert typed(words, "--recipe") == "tiny"
    assert typed(words, "--seed") == "2"
    assert typed(words, "--link") is None
    for start in (prune80.start, study.start):
        assert (start(words).recipe, start(words).settings) == ("tiny", RECIPES["tiny"])


def test_every_recipe_can_be_typed():
    assert set(Options.__annotations__["recipe"].__args__) == set(RECIPES)


def test_a_model_file_translates_as_the_run_it_was_made_from(toy):
    folder = toy.runs.parent
    said = toy.type("export", toy.run_dirs["retrained"], "-o", "model.slim").stdout.decode()
    assert said == f"model.slim: {(folder / 'model.slim').stat().st_size:,} bytes\n"
    lines = ("\n".join([*toy.lines("test", "letters")[:20], "", "x y z"]) + "\n").encode()
    from_run = toy.type("translate", "--run", toy.run_dirs["retrained"], input=lines).stdout
    assert toy.type("translate", "--model", "model.slim", input=lines).stdout == from_run
    shown = toy.type("inspect", "model.slim").stdout.decode()
    assert re.search(r"attention/kernel +4,608 +[\d,]+ +float32", shown)
    (folder / "cut.slim").write_bytes((folder / "model.slim").read_bytes()[:-1])
    for command in (["translate", "--model", "cut.slim"], ["inspect", "cut.slim"]):
        (line,) = toy.type(*command, code=2).stderr.decode().splitlines()
        assert "cut.slim" in line
    both = toy.type("translate", "--model", "model.slim", "--run", toy.run_dirs["retrained"], code=2)
    assert b"not both" in both.stderr


def test_a_variant_goes_the_whole_way(toy):
    """Everything that is not the default at once, from its training to its file, which translates as the run does."""
    variant = {"cell": "gru", "attention": "general", "attention-span": "local_p"}
    variant |= {"bidirectional": True, "compute-dtype": "bfloat16"}
    options = [word for name, value in variant.items() for word in (f"--model.{name}", value)]
    trained = last_line(toy.type("train", "--recipe", "tiny", "--corpus.name", "reverse", *options))
    pruned = last_line(toy.type("prune", "--run", trained, "--sparsity", 0.5))
    retrained = last_line(toy.type("retrain", "--run", pruned))
    toy.type("export", retrained, "-o", "variant.slim")
    sources, references = toy.lines("test", "letters"), toy.lines("test", "reversed")
    lines = ("\n".join(sources) + "\n").encode()
    from_run = toy.type("translate", "--run", retrained, input=lines).stdout
    assert toy.type("translate", "--model", "variant.slim", input=lines).stdout == from_run
    assert sum(map(str.__eq__, from_run.decode().splitlines(), references)) > 0.9 * len(references)
    words, units, half = 16, 48, 24  # of the toy; of `tiny`; of each direction of the encoder
    prunable = 3 * words * units + (units + units) * 3 * units + 2 * (units + half) * 3 * half
    prunable += 2 * units * units + 2 * units * units  # of attention: kernel; score and position
    shown = re.sub(" +", " ", toy.type("inspect", retrained).stdout.decode())
    assert f"all classes {prunable:,} {prunable - prunable // 2:,} 50.00%" in shown


def test_distil_corpus_writes_pairs_that_can_be_verified(toy):
    source = toy.runs / "cache" / "reverse" / "test.letters"
    words = ["distil-corpus", "--teacher", toy.run_dirs["baseline"], "--corpus", source, "-o", "distilled", "--beam", 2]
    assert last_line(toy.type(*words)) == "distilled"
    folder = toy.runs.parent / "distilled"
    pairs = {side: (folder / f"pairs.{side}").read_text().splitlines() for side in ("source", "target", "lines")}
    assert len(set(map(len, pairs.values()))) == 1
    corpus = source.read_text().splitlines()
    assert pairs["source"] == [corpus[int(line) - 1] for line in pairs["lines"]]
    toy.type(*words, "--verify")
    changed = (folder / "target.txt").read_text().splitlines()
    changed[0], changed[1] = changed[1], changed[0]
    (folder / "target.txt").write_text("".join(f"{line}\n" for line in changed))
    assert toy.type(*words, "--verify", code=2).stderr
