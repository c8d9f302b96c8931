"""`train`, `prune` and `retrain` make the runs that an experiment makes."""

import pytest

from seq2slim.cli import train
from seq2slim.cli.train import Options
from seq2slim.recipes import RECIPES
from seq2slim.tasks import TASKS
from tests.support.smoke import last_line


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


def test_every_recipe_can_be_typed():
    assert set(Options.__annotations__["recipe"].__args__) == set(RECIPES)


def test_every_task_can_be_typed_and_is_passed_on(monkeypatch):
    assert set(Options.__annotations__["task"].__args__) == set(TASKS)

    class Asked(Exception):
        """Raised with the options of the text."""

    def text(*arguments, **options):
        raise Asked(options)

    monkeypatch.setattr("seq2slim.cli.train.Text", text)
    with pytest.raises(Asked) as caught:
        train.run(["--recipe", "tiny", "--task", "translation"])
    assert caught.value.args[0] == {"task": "translation"}
