"""A wheel of the project, installed outside of it: what works with each extra, and what is said without it."""

import shutil

import pytest

from seq2slim.installation import VERSION
from tests.install.environments import ROOT, Environment, build_wheel

pytestmark = pytest.mark.slow

PRUNE = """
import jax.numpy as jnp, optax
from seq2slim import pruning
params = {"bias": jnp.ones(3), "kernel": jnp.arange(-10.0, 10.0).reshape(5, 4)}
masks = pruning.class_blind(params, sparsity=0.8)
params = pruning.apply_masks(params, masks)
pruning.keep_pruned(optax.adam(1e-3), masks).init(params)
print(sorted(params["kernel"][params["kernel"] != 0].tolist()))
"""
WORDS = ("ein", "kleiner", "hund", "und", "das", "rote", "haus")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def plain(wheel, tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("plain"), wheel)


@pytest.fixture(scope="module")
def nmt(wheel, tmp_path_factory):
    """With [nmt] alone, and six files of text."""
    environment = Environment(tmp_path_factory.mktemp("nmt"), f"seq2slim[nmt] @ {wheel.as_uri()}")
    for split, n in (("train", 60), ("valid", 6), ("test", 6)):
        lines = [" ".join(WORDS[(i + k * (1 + i // 7)) % 7] for k in range(1 + i % 4)) for i in range(n)]
        (environment.work / f"{split}.de").write_text("".join(f"{line}\n" for line in lines))
        (environment.work / f"{split}.en").write_text("".join(f"{line.upper()}\n" for line in lines))
    return environment


@pytest.fixture(scope="module")
def whole(wheel, tmp_path_factory):
    """With [all], and the experiments of a clone beside it."""
    environment = Environment(tmp_path_factory.mktemp("all"), f"seq2slim[all] @ {wheel.as_uri()}")
    shutil.copytree(ROOT / "experiments", environment.work / "experiments")
    return environment


def the_line(done, code=2) -> str:
    """The only line that a failed command printed, on stderr."""
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    return line


def what_to_type(extra: str) -> str:
    return f'pip install "seq2slim[{extra}] @ git+https://'


class TestPlain:
    def test_prunes_and_brings_little(self, plain):
        done = plain.run("python", "-c", PRUNE)
        assert done.stdout == "[-10.0, -9.0, 8.0, 9.0]\n", done.stderr
        assert {"jax", "optax", "numpy"} <= plain.packages()
        unwanted = {
            "flax",
            "orbax_checkpoint",
            "sentencepiece",
            "sacrebleu",
            "matplotlib",
            "tensorflow_datasets",
            "tyro",
        }
        assert not unwanted & plain.packages()
        print(f"\nplain: {plain.megabytes():.0f} MB, {len(plain.packages())} packages")

    def test_the_program_says_its_version_and_commands(self, plain):
        assert plain.run("seq2slim", "--version").stdout == f"seq2slim {VERSION}\n"
        assert "translate" in plain.run("python", "-m", "seq2slim", "--help").stdout

    @pytest.mark.parametrize("command", ["train", "prune", "retrain", "translate", "evaluate", "inspect", "export"])
    def test_a_command_says_what_to_type_for_its_extra(self, plain, command):
        assert what_to_type("nmt") in the_line(plain.run("seq2slim", command))

    @pytest.mark.parametrize("code", ["import seq2slim; seq2slim.load('x')", "from seq2slim.models import Seq2Seq"])
    def test_in_python_it_is_an_import_error(self, plain, code):
        caught = f"try:\n    exec({code!r})\nexcept ImportError as error:\n    print(error)"
        assert what_to_type("nmt") in plain.run("python", "-c", caught).stdout

    @pytest.mark.parametrize("words", [["run", "prune80"], ["experiments"]])
    def test_experiments_are_in_a_clone(self, plain, words):
        assert "in a clone of the repository: git clone https://" in the_line(plain.run("seq2slim", *words))


class TestNmt:
    def test_trains_on_text_and_translates_with_a_model_file(self, nmt):
        splits = [f"--corpus.{split} {split}.de {split}.en" for split in ("train", "valid", "test")]
        options = f"--recipe tiny --corpus.name text {' '.join(splits)} --training.epochs 2 --link dense"
        commands = [
            f"train {options}",
            "prune --run dense --sparsity 0.5 --link pruned",
            "export pruned -o model.slim",
        ]
        for command in commands:
            done = nmt.run("seq2slim", *command.split())
            assert done.returncode == 0, done.stdout + done.stderr
        shutil.rmtree(nmt.work / "runs")
        done = nmt.run("seq2slim", "translate", "--model", "model.slim", stdin="ein hund\n\nrote haus\n")
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 3
        code = "import seq2slim; print(seq2slim.load('model.slim').translate(['ein hund', '', 'rote haus'], beam=1))"
        assert nmt.run("python", "-c", code).returncode == 0
        print(f"\n[nmt]: {nmt.megabytes():.0f} MB, {len(nmt.packages())} packages")

    def test_brings_nothing_of_the_experiments(self, nmt):
        assert not {"matplotlib", "tensorflow_datasets", "array_record"} & nmt.packages()

    def test_a_built_in_corpus_says_what_to_type(self, nmt):
        done = nmt.run("seq2slim", "train", "--recipe", "tiny", "--corpus.name", "bible-en-de")
        assert done.returncode == 2, done.stdout + done.stderr
        assert "pip install" in done.stderr.splitlines()[-1]

    def test_figures_say_what_to_type(self, nmt):
        done = nmt.run("python", "-c", "import seq2slim.plots.style")
        assert what_to_type("experiments") in done.stderr.splitlines()[-1]


def test_all_runs_the_experiments_of_a_clone(whole):
    done = whole.run("seq2slim", "experiments")
    assert "prune80" in done.stdout, done.stderr
    done = whole.run("seq2slim", "run", "prune80", "--help")
    assert done.returncode == 0, done.stdout + done.stderr
    assert whole.run("python", "-c", "import tensorflow_datasets, array_record, matplotlib").returncode == 0
    print(f"\n[all]: {whole.megabytes():.0f} MB, {len(whole.packages())} packages")
